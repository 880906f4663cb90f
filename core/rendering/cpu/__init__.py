"""Our own kernels: projection, sorting, blending, gradients and the sweep, compiled by numba."""

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

from numba.core import config
from platformdirs import user_cache_path


def _use_own_cache() -> None:
    """Keep compiled kernels in the user's cache, in a folder named after the kernels' source.

    numba's own check looks at a kernel's file only, not at the functions inlined into it.
    """
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    kernels = user_cache_path("splatscope", appauthor=False) / "kernels"
    folder = kernels / digest.hexdigest()[:16]
    with suppress(OSError):
        for stale in set(kernels.glob("*")) - {folder}:
            shutil.rmtree(stale, ignore_errors=True)
    config.CACHE_DIR = str(folder)


if not os.environ.get("NUMBA_CACHE_DIR"):
    _use_own_cache()
