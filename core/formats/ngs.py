"""Compressed scenes of nets, as any other scene; see :mod:`core.neuralgs.container`."""

from pathlib import Path

from core.formats.format import Format
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
    from core.neuralgs.container import read_neural
    from core.neuralgs.decoding import decoded

    return decoded(read_neural(path)), ()


FORMAT = Format(
    "ngs",
    "Nets (NeuralGS)",
    (".ngs",),
    recognises,
    load,
    made_by="Such files are made by: splatscope compress, or the Compress panel.",
)
