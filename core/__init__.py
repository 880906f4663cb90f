"""Splatscope's algorithms: no Qt, no OpenGL; usable from a notebook and the command line."""

import os

__version__ = "0.1.0"

# OpenMP threads that spin while they wait steal the cores from the kernels and the window.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
