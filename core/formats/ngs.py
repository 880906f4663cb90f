"""Compressed scenes of nets, as any other scene; see :mod:`core.neuralgs.container`."""

from pathlib import Path

from core.formats.format import Format
from core.jobs import Progress, Steps, drain
from core.neuralgs.model import MAGIC
from core.scene import GaussianScene


def recognises(head: bytes, path: Path) -> bool:
    """Whether the content is an ``.ngs`` file, of any version."""
    return head.startswith(MAGIC)


def load(path: Path) -> tuple[GaussianScene, tuple[str, ...]]:
    """Read and decode an ``.ngs`` file.

    Raises
    ------
    UserError
        If it is damaged, or of a version that is not known.
    """
    return drain(load_steps(path))


def load_steps(path: Path) -> Steps[tuple[GaussianScene, tuple[str, ...]]]:
    """As :func:`load`; a job, whose partial results are scenes of the clusters decoded so far."""
    from core.neuralgs.container import read_neural
    from core.neuralgs.decoding import decoding

    yield Progress(0, 1, f"reading {path.name}")
    neural = read_neural(path)
    return (yield from decoding(neural)), ()


FORMAT = Format(
    "ngs",
    "Nets (NeuralGS)",
    (".ngs",),
    recognises,
    load,
    load_steps=load_steps,
    made_by="Such files are made by: splatscope compress, or the Compress panel.",
)
