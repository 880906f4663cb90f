"""The window: PySide6, moderngl, pyqtgraph. Computes nothing but pixels on the screen."""
