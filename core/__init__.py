"""Splatscope's algorithms: no Qt, no OpenGL; usable from a notebook and the command line."""

__version__ = "0.1.0"
