"""Which model to use: the one that comes along, or a file."""

from importlib.resources import files
from pathlib import Path

from core.errors import UserError

BOX_MODEL = Path(str(files("resources") / "models" / "nano64.safetensors"))
"""The model that comes along, of the size nano64."""


def find_model(path: Path | None = None) -> Path:
    """The file of a model: the one given, else the one that comes along.

    Raises
    ------
    UserError
        If it is not there.
    """
    if path is not None:
        if not path.is_file():
            raise UserError(
                f"There is no model {path}.", "Choose another file, or the model that comes along."
            )
        return path
    if not BOX_MODEL.is_file():
        raise UserError(
            "The model that should come along is missing.",
            "Train one on a folder of images (splatscope gmae train), and choose its file.",
        )
    return BOX_MODEL
