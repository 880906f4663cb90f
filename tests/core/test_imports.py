import subprocess
import sys

CHECK = """
import importlib, pkgutil, sys
import core
for module in pkgutil.walk_packages(core.__path__, "core."):
    if module.name not in ("core.__main__", "core.rendering.cuda"):
        importlib.import_module(module.name)
forbidden = ("PySide6", "moderngl", "pyqtgraph", "viewer")
window = [name for name in sys.modules if name.split(".")[0] in forbidden]
assert not window, window
"""


def test_core_knows_no_window() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
