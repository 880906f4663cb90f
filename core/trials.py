"""Trying out how to store a scene: how small each way makes it, and what then comes back."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from core.cameras import Camera
from core.files import replacing
from core.formats import FORMATS, Format, load_scene, save_scene
from core.jobs import Progress, Steps, retold
from core.metrics import Evaluation, Lpips, References, evaluate
from core.neuralgs.attributes import canonical
from core.neuralgs.compress import Compressed, compress
from core.neuralgs.container import encoded, measured_streams
from core.neuralgs.model import NeuralScene
from core.neuralgs.settings import NeuralSettings
from core.scene import GaussianScene
from core.training import Targets

NETS = "ngs"
GRID_BITS, HALF_BITS = 20, 48
"""Of a position: measured for scenes of about 100,000 Gaussians, and three float16."""
LABEL_SHARE = 0.7
"""Bits of a cluster's label against the logarithm of their number."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One way to store a scene, measured.

    Attributes
    ----------
    format
        Name of the format.
    title
        Ending of the file's name; of nets the preset too.
    bytes
        Size of the file, which :func:`save_trial` will write.
    encode_s, decode_s
        Seconds to make the file, and to open it.
    evaluation
        Pictures of what comes back, on the views that trials are compared by.
    scene
        What comes back.
    source
        What was stored.
    neural
        What is in the file, where that is nets.
    streams
        Bytes by part of the file, where it has parts.
    errors
        Root of the mean squared error by attribute, see :func:`attribute_errors`; empty where
        Gaussians do not come back in their order.
    """

    format: str
    title: str
    bytes: int
    encode_s: float
    decode_s: float
    evaluation: Evaluation
    scene: GaussianScene
    source: GaussianScene
    neural: NeuralScene | None = None
    streams: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Plain numbers for a report."""
        measured = self.evaluation
        return {
            "format": self.format,
            "bytes": self.bytes,
            "count": len(self.scene),
            "psnr": measured.psnr,
            "ssim": measured.ssim,
            "lpips": measured.lpips,
            "encode_s": self.encode_s,
            "decode_s": self.decode_s,
            **({"streams": dict(self.streams)} if self.streams else {}),
            **({"errors": dict(self.errors)} if self.errors else {}),
        }


def trial_formats() -> tuple[Format, ...]:
    """The formats that need no views and are one file, in the order of the registry."""
    return tuple(known for known in FORMATS if known.save is not None and known.suffixes)


def try_formats(
    scene: GaussianScene,
    formats: Sequence[Format],
    references: References,
    *,
    lpips: Lpips | None = None,
) -> Steps[tuple[Trial, ...]]:
    """Store a scene in some formats, and measure what comes back; a job.

    Its partial results are the trials so far.

    Raises
    ------
    UserError
        If a photo cannot be read, or there is no room for the files.
    """
    trials: tuple[Trial, ...] = ()
    for number, known in enumerate(formats):

        def told(progress: Progress, place: int = number, title: str = known.title) -> Progress:
            share = progress.done / max(1, progress.total)
            return Progress(
                round(1000 * (place + share)), 1000 * len(formats), f"{title}: {progress.message}"
            )

        yield Progress(1000 * number, 1000 * len(formats), f"{known.title}: writing")
        made = _Made(scene, known.name, known.suffixes[0])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"scene{known.suffixes[0]}"
            made.write(path, partial(save_scene, scene, format=known.name))
            yield Progress(1000 * number + 1, 1000 * len(formats), f"{known.title}: reading")
            made.read(path)
        evaluation = yield from retold(
            evaluate(made.scene, references, lpips=lpips, frames=False), told
        )
        trials = (*trials, made.trial(evaluation))
        yield Progress(1000 * (number + 1), 1000 * len(formats), known.title, partial=trials)
    return trials


def try_nets(
    scene: GaussianScene,
    targets: Targets,
    cameras: Sequence[Camera],
    settings: NeuralSettings,
    references: References,
    *,
    protected: Tensor | None = None,
    lpips: Lpips | None = None,
) -> Steps[Trial]:
    """Compress a scene into nets, and measure what comes back; a job.

    ``protected``, bool ``(N,)``, are stored as they are. Partial results are those of
    :func:`core.neuralgs.compress.compress`.

    Raises
    ------
    UserError
        As compressing, and if there is no room for the file.
    """
    started = time.perf_counter()

    compressed = yield from compress(scene, targets, cameras, settings, protected=protected)
    seconds = time.perf_counter() - started
    return (yield from measure_nets(compressed, seconds, references, lpips=lpips))


def measure_nets(
    compressed: Compressed,
    seconds: float,
    references: References,
    *,
    lpips: Lpips | None = None,
) -> Steps[Trial]:
    """Write, open and measure what :func:`core.neuralgs.compress.compress` made; a job.

    Parameters
    ----------
    seconds
        What compressing took.
    """
    neural = compressed.neural
    made = _Made(compressed.pruned, NETS, f".{NETS}, {neural.notes.get('preset', 'own')}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"scene.{NETS}"
        yield Progress(0, 1, "writing")
        made.write(path, lambda path: save_neural(neural, path))
        yield Progress(0, 1, "reading")
        made.read(path)
    made.encode_s += seconds
    evaluation = yield from evaluate(made.scene, references, lpips=lpips, frames=False)
    return replace(
        made.trial(evaluation),
        neural=neural,
        streams=measured_streams(neural),
        errors=attribute_errors(compressed.pruned, made.scene),
    )


def estimated_bytes(count: int, sh_degree: int, settings: NeuralSettings) -> int:
    """About how large a file of nets will be, before there are any.

    Parameters
    ----------
    count
        Gaussians that it will hold.
    """
    clusters = settings.cluster_count(count)
    channels = 7 + 3 * (sh_degree + 1) ** 2
    widths = (
        3 + 6 * settings.levels,
        *[settings.hidden] * (settings.layers - 1),
        channels,
    )
    weights = sum((a + 1) * b for a, b in pairwise(widths))
    positions = HALF_BITS if settings.positions == "half" else GRID_BITS
    labels = LABEL_SHARE * math.log2(clusters)
    each = (positions + labels) / 8 + settings.code_bytes
    return round(count * each + clusters * weights * settings.weight_bits / 8)


def save_trial(trial: Trial, path: Path) -> None:
    """Write the file that a trial measured.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    if trial.neural is not None:
        save_neural(trial.neural, path)
    else:
        save_scene(trial.source, path, trial.format)


def save_neural(neural: NeuralScene, path: Path) -> None:
    """Write nets as a ``.ngs`` file.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    content = encoded(neural)
    with replacing(path) as file:
        file.write(content)


def attribute_errors(before: GaussianScene, after: GaussianScene) -> dict[str, float]:
    """How far the attributes of two scenes with the same Gaussians in the same order differ.

    The root of the mean square by attribute: ``position`` in world units, ``scale`` of the natural
    logarithms, ``rotation`` in degrees, ``opacity`` in 0..1, ``color`` as seen without directions
    (0..1), ``sh`` of the further coefficients. Axes are compared longest first, whichever way they
    point; ``rotation`` says little of Gaussians that have two axes of nearly the same length.
    """

    def root(difference: torch.Tensor) -> float:
        return math.sqrt(float(difference.double().square().mean())) if difference.numel() else 0.0

    before, after = canonical(before), canonical(after)
    a, b = (torch.nn.functional.normalize(s.quats.double(), dim=1) for s in (before, after))
    # The same ellipsoid turned half around one of its axes: b times 1, i, j and k.
    w, x, y, z = b.unbind(1)
    turned = ((w, x, y, z), (-x, w, z, -y), (-y, -z, w, x), (-z, y, -x, w))
    likeness = torch.stack([(a * torch.stack(q, 1)).sum(1).abs() for q in turned])
    angles = 2 * likeness.amax(0).clamp(max=1).acos().rad2deg()
    return {
        "position": root(before.means - after.means),
        "scale": root(before.log_scales - after.log_scales),
        "rotation": root(angles),
        "opacity": root(before.opacities() - after.opacities()),
        "color": root(before.base_colors() - after.base_colors()),
        "sh": root(before.sh[:, 1:] - after.sh[:, 1:]),
    }


class _Made:
    """A file while it is tried."""

    def __init__(self, source: GaussianScene, format: str, title: str) -> None:
        self.source, self.format, self.title = source, format, title
        self.bytes = 0
        self.encode_s = self.decode_s = 0.0
        self.scene = source

    def write(self, path: Path, save: Callable[[Path], None]) -> None:
        started = time.perf_counter()
        save(path)
        self.encode_s = time.perf_counter() - started
        self.bytes = path.stat().st_size

    def read(self, path: Path) -> None:
        started = time.perf_counter()
        self.scene = load_scene(path).scene.to(self.source.device)
        self.decode_s = time.perf_counter() - started

    def trial(self, evaluation: Evaluation) -> Trial:
        return Trial(
            self.format,
            self.title,
            self.bytes,
            self.encode_s,
            self.decode_s,
            evaluation,
            self.scene,
            self.source,
        )
