"""How good a scene looks, how large it is and how fast it draws.

The field's protocol: pictures are rounded to 8 bits as after saving them, every figure is taken per
picture and then averaged, and the size is that of a plain PLY.
"""

import math
import statistics
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.jobs import Progress, Steps, retold
from core.metrics.blur import HALF
from core.metrics.lpips import Lpips
from core.metrics.references import References, SceneReferences, draw
from core.metrics.similarity import ssim_map
from core.metrics.timing import frame_time
from core.scene import GaussianScene

EQUAL_DB = 100.0
"""What a picture without any difference counts in a mean of PSNRs that are not all infinite."""
_BAND_PIXELS = 2**20


@dataclass(frozen=True, slots=True)
class ViewQuality:
    """How like its reference the picture of one view is.

    ``psnr`` in dB, infinite where both are equal; ``lpips`` None where it is not measured: without
    weights, or where the picture is too small for them.
    """

    name: str
    psnr: float
    ssim: float
    lpips: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured of a scene.

    Parameters
    ----------
    views
        One by one, in the order of the references; empty where only size and speed were measured.
    count, megabytes
        Gaussians, and their size as a plain PLY in units of 10**6 bytes.
    frame_ms
        Milliseconds a picture takes, see :func:`core.metrics.frame_time`; None if not measured.
    lpips_net
        What LPIPS was measured with, None if it was not.
    """

    views: tuple[ViewQuality, ...]
    count: int
    megabytes: float
    frame_ms: float | None
    lpips_net: str | None

    @property
    def psnr(self) -> float:
        """Mean in dB; infinite if no view differs, NaN without views.

        Where only some views do not differ they count as :data:`EQUAL_DB`.
        """
        values = [view.psnr for view in self.views]
        if not values or all(map(math.isinf, values)):
            return math.inf if values else math.nan
        return statistics.fmean(min(value, EQUAL_DB) for value in values)

    @property
    def ssim(self) -> float:
        """Mean; NaN without views."""
        return statistics.fmean(view.ssim for view in self.views) if self.views else math.nan

    @property
    def lpips(self) -> float | None:
        """Mean; None if a view has none."""
        values = [view.lpips for view in self.views if view.lpips is not None]
        return statistics.fmean(values) if values and len(values) == len(self.views) else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two scenes measured alike: ``after`` against the same references as ``before``.

    Where ``before`` itself is the reference it has no views, and there is no change of quality.
    """

    before: Evaluation
    after: Evaluation

    @property
    def psnr_change(self) -> float | None:
        """In dB, more is better; None where one of them is not a number."""
        return _difference(self.after.psnr, self.before.psnr)

    @property
    def ssim_change(self) -> float | None:
        """More is better."""
        return _difference(self.after.ssim, self.before.ssim)

    @property
    def lpips_change(self) -> float | None:
        """Less is better."""
        return _difference(self.after.lpips, self.before.lpips)

    @property
    def frame_rate_ratio(self) -> float | None:
        """How many times as many frames a second there are after."""
        if self.before.frame_ms is None or not self.after.frame_ms:
            return None
        return self.before.frame_ms / self.after.frame_ms


def evaluate(
    scene: GaussianScene,
    references: References,
    *,
    lpips: Lpips | None = None,
    frames: bool = True,
) -> Steps[Evaluation]:
    """Measure a scene; a job, whose partial result is the evaluation of the views so far.

    One picture and its reference are in memory at a time. Each step's ``values`` hold the mean
    ``psnr`` so far.

    Raises
    ------
    UserError
        If a photo cannot be read.
    """
    cameras = references.cameras
    lpips = None if lpips is None else lpips.to(scene.device)
    evaluation = _sized(scene, None if lpips is None else lpips.net.name)
    for number, camera in enumerate(cameras):
        message = f"view {number + 1} of {len(cameras)}"
        reference = references.picture(number).to(scene.device)
        yield Progress(number, len(cameras), message)
        picture = draw(scene, camera, references.background)
        yield Progress(number, len(cameras), message)
        psnr, ssim = likeness(picture, reference)
        distance = None
        if lpips is not None and lpips.fits(camera.height, camera.width):
            distance = 0.0
            for tile in lpips.tiles(camera.height, camera.width):
                yield Progress(number, len(cameras), f"{message}: LPIPS")
                distance += lpips.share(picture, reference, tile)
        view = ViewQuality(camera.name, psnr, ssim, distance)
        evaluation = replace(evaluation, views=(*evaluation.views, view))
        values = {"psnr": evaluation.psnr} if math.isfinite(evaluation.psnr) else {}
        yield Progress(number + 1, len(cameras), message, values, evaluation)
    if frames:
        frame_ms = yield from frame_time(scene, cameras, references.background)
        evaluation = replace(evaluation, frame_ms=frame_ms)
    return evaluation


def compare(
    before: GaussianScene,
    after: GaussianScene,
    references: References,
    *,
    lpips: Lpips | None = None,
    frames: bool = True,
) -> Steps[Comparison]:
    """Measure two scenes against the same references; a job with partial results as `evaluate`.

    Where ``references`` are pictures of ``before``, only its size and speed are measured.

    Raises
    ------
    UserError
        If a photo cannot be read.
    """
    if isinstance(references, SceneReferences) and references.scene is before:
        first = _sized(before, None)
        if frames:
            timed = frame_time(before, references.cameras, references.background)
            first = replace(first, frame_ms=(yield from retold(timed, _of_before)))
    else:
        steps = evaluate(before, references, lpips=lpips, frames=frames)
        first = yield from retold(steps, _of_before)

    def of_after(progress: Progress) -> Progress:
        partial = progress.partial and Comparison(first, progress.partial)
        return replace(progress, message=f"after: {progress.message}", partial=partial)

    steps = evaluate(after, references, lpips=lpips, frames=frames)
    return Comparison(first, (yield from retold(steps, of_after)))


def likeness(a: Tensor, b: Tensor) -> tuple[float, float]:
    """PSNR in dB and SSIM of two pictures, uint8 ``(H, W, 3)``.

    As :func:`core.metrics.psnr` and :func:`core.metrics.ssim` have it, a band of rows at a time.
    """
    height, width = a.shape[:2]
    rows = max(1, _BAND_PIXELS // width)
    error, similar = 0, 0.0
    for first in range(0, height, rows):
        last = min(first + rows, height)
        start, end = max(0, first - HALF), min(height, last + HALF)
        x, y = (picture[start:end].float() / 255 for picture in (a, b))
        band = ssim_map(x, y)[first - start : last - start]
        similar += float(band.sum(dtype=torch.float64))
        error += int((a[first:last].int() - b[first:last].int()).square().sum())
    mean = error / (255**2 * a.numel())
    return -10 * math.log10(mean) if error else math.inf, similar / a.numel()


def _of_before(progress: Progress) -> Progress:
    return replace(progress, message=f"before: {progress.message}", partial=None)


def _sized(scene: GaussianScene, net: str | None) -> Evaluation:
    return Evaluation((), len(scene), scene.ply_bytes / 1e6, None, net)


def _difference(after: float | None, before: float | None) -> float | None:
    if after is None or before is None:
        return None
    change = after - before
    return change if math.isfinite(change) else None
