"""Replacing a file in one step, so that a failure at any moment leaves the old one as it was."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from core.errors import UserError

_NO_SPACE = frozenset(
    code
    for name in ("ENOSPC", "EDQUOT", "EFBIG")
    if (code := getattr(errno, name, None)) is not None
)


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A binary stream whose content becomes the file at ``path`` when the block ends well.

    The content goes to a temporary file in the same folder, is flushed to the disk and renamed. If
    the block raises, the temporary file is removed and the old file stays. A symbolic link is
    followed: it keeps pointing to the file that is replaced.

    Raises
    ------
    UserError
        If the folder is missing or may not be written to, if ``path`` is not an ordinary file, if
        it is write-protected, or if the disk is full.
    """
    target = Path(os.path.realpath(path))
    try:
        check_target(target)
        temporary = target.with_name(f"splatscope-{secrets.token_hex(6)}.part")
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise _explained(error, target) from error


def check_target(target: Path) -> None:
    """Refuse a place where no file can be written; before work whose result belongs there.

    Raises
    ------
    UserError
        If the folder is missing, or ``target`` is not an ordinary file or write-protected.
    """
    if target.is_dir():
        raise UserError(f"Cannot save to {target}: it is a folder.", "Give the name of a file.")
    if not target.parent.is_dir():
        raise UserError(
            f"Cannot save to {target}: there is no folder {target.parent}.", "Create it first."
        )
    if target.exists():
        if not target.is_file():
            raise UserError(f"Cannot save to {target}: it is not an ordinary file.")
        if not os.access(target, os.W_OK):
            raise UserError(
                f"Cannot save to {target}: it is write-protected.", "Save under another name."
            )


def _explained(error: OSError, target: Path) -> UserError:
    if error.errno in _NO_SPACE:
        return UserError(
            f"Cannot save to {target}: there is not enough space.",
            "Free some space or save to another disk.",
        )
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return UserError(
            f"Cannot save to {target}: no permission to write in {target.parent}.",
            "Save to another folder.",
        )
    return UserError(f"Cannot save to {target}: {error.strerror or error}.")
