"""What a file format is, and what opening a file yields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.jobs import Steps
from core.scene import GaussianScene

HEAD_BYTES = 64 * 1024
"""How much of a file a format sees to recognise it."""


@dataclass(frozen=True, slots=True)
class Format:
    """One file format; a new one is a module with such a value, and its entry in the registry.

    Parameters
    ----------
    name
        Short name, as given on the command line.
    title
        What a file dialog shows.
    suffixes
        File name endings with their dot, or whole file names; lower case, the usual one first.
        None where only its name chooses it, as for another version with the same ending.
    recognises
        Whether a file is of this format, from its first ``HEAD_BYTES`` bytes and its path.
    load
        Decodes a file into a scene and plain sentences on what was changed while decoding. Values
        that cannot be rendered are left as they are: mending them is alike for every format.
        Raises :class:`UserError` with a message that continues "Cannot open NAME: ...".
    save
        Writes a scene to a binary stream; None for a format that is only read.
    save_parts
        For a format of several files in a folder, in place of ``save``: their contents by name,
        the one that names the others last.
    made_by
        Of a format that is only read: what makes such files, as a sentence.
    loses
        What of a scene does not come back, as a sentence; empty for a format without loss.
    load_steps
        What ``load`` does as a job, for a format that takes long to decode; its partial results
        are scenes of what is decoded so far.
    size
        Bytes of a file with so many Gaussians like those of a scene; None where only writing it
        tells.
    size_known
        Whether ``size`` is exact, not about so much.
    keeps_camera
        Whether a scene's own camera comes back.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes, Path], bool]
    load: Callable[[Path], tuple[GaussianScene, tuple[str, ...]]]
    save: Callable[[GaussianScene, BinaryIO], None] | None = None
    save_parts: Callable[[GaussianScene], Mapping[str, bytes]] | None = None
    loses: str = ""
    made_by: str = ""
    load_steps: Callable[[Path], Steps[tuple[GaussianScene, tuple[str, ...]]]] | None = None
    size: Callable[[GaussianScene, int], int] | None = None
    size_known: bool = False
    keeps_camera: bool = False

    @property
    def is_saved(self) -> bool:
        """Whether scenes can be saved in it."""
        return self.save is not None or self.save_parts is not None

    def fits(self, name: str) -> bool:
        """Whether a file of that name may be of this format."""
        return any(
            name.lower().endswith(suffix) if suffix.startswith(".") else name.lower() == suffix
            for suffix in self.suffixes
        )


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """An opened file: its scene, the name of its format, what was repaired, and its size."""

    scene: GaussianScene
    format: str
    repairs: tuple[str, ...]
    file_bytes: int
