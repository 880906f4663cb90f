"""How long a picture of a scene takes."""

import statistics
import time
from collections.abc import Sequence

import torch

from core.cameras import Camera
from core.jobs import Progress, Steps
from core.rendering import render
from core.scene import GaussianScene

WARM_UP = 2
REPEATS = 3
MAX_VIEWS = 16


def frame_time(
    scene: GaussianScene,
    cameras: Sequence[Camera],
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    repeats: int = REPEATS,
) -> Steps[float]:
    """Draw a scene from some of the cameras at their own size; a job, one step per picture.

    At most ``MAX_VIEWS`` of them are drawn, evenly chosen, each ``repeats`` times after pictures
    that do not count. On a GPU its own clock is read, and the work before has ended by then.

    Returns
    -------
    float
        Milliseconds a picture takes: the median over the views of each view's median.

    Raises
    ------
    ValueError
        If there are no cameras.
    """
    if not cameras:
        raise ValueError("there are no cameras to draw from")
    count = min(MAX_VIEWS, len(cameras))
    chosen = [cameras[(2 * place + 1) * len(cameras) // (2 * count)] for place in range(count)]
    total = WARM_UP + count * repeats
    for number in range(WARM_UP):
        _drawn_ms(scene, chosen[number % count], background)
        yield Progress(number + 1, total, "measuring frame time")
    medians = []
    for place, camera in enumerate(chosen):
        times = []
        for number in range(repeats):
            times.append(_drawn_ms(scene, camera, background))
            done = WARM_UP + place * repeats + number + 1
            yield Progress(done, total, f"measuring frame time: view {place + 1} of {count}")
        medians.append(statistics.median(times))
    return statistics.median(medians)


@torch.no_grad()
def _drawn_ms(
    scene: GaussianScene, camera: Camera, background: tuple[float, float, float]
) -> float:
    """Milliseconds from having nothing else to do until the picture is there."""
    if scene.device.type != "cuda":
        started = time.perf_counter()
        render(scene, camera, background=background)
        return 1e3 * (time.perf_counter() - started)
    torch.cuda.synchronize(scene.device)
    with torch.cuda.device(scene.device):
        before, after = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        before.record()
        render(scene, camera, background=background)
        after.record()
    after.synchronize()
    return float(before.elapsed_time(after))
