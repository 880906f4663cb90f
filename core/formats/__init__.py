"""Scene files: one module per format, opened by content and written atomically."""

from core.formats.find import find_scene, is_scene
from core.formats.format import Format, Loaded
from core.formats.registry import (
    FORMATS,
    check_output,
    find_format,
    load_scene,
    load_steps,
    save_scene,
    scene_bytes,
)

__all__ = [
    "FORMATS",
    "Format",
    "Loaded",
    "check_output",
    "find_format",
    "find_scene",
    "is_scene",
    "load_scene",
    "load_steps",
    "save_scene",
    "scene_bytes",
]
