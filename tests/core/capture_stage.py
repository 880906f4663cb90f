"""A folder of posed photos of the blob."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from core.cameras import Camera, intrinsics, look_at
from core.metrics.references import draw
from tests.blobs import blob_scene

SIZE = (64, 48)
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def make_capture(folder: Path, stated: bool, photos: bool = True) -> Path:
    """Three photos of the blob with their cameras; the second is for testing, if any is."""
    folder.mkdir()
    K = intrinsics(50, *SIZE)
    frames = []
    for number, eye in enumerate(((0, 0.5, 3), (3, 0.5, 0), (0, 0.5, -3))):
        camera = Camera(look_at(eye, (0, 0, 0), (0, -1, 0)), K, *SIZE)
        if photos:
            pixels = draw(blob_scene(300), camera, (1, 1, 1)).numpy()
            Image.fromarray(pixels).save(folder / f"p{number}.png")
        matrix = (camera.camera_to_world @ FLIP).tolist()
        frames.append({"file_path": f"p{number}.png", "transform_matrix": matrix})
    values = {
        "fl_x": K[0, 0],
        "fl_y": K[1, 1],
        "cx": K[0, 2],
        "cy": K[1, 2],
        "w": SIZE[0],
        "h": SIZE[1],
        "frames": frames,
    }
    if stated:
        values["train_filenames"] = ["p0.png", "p2.png"]
        values["test_filenames"] = ["p1.png"]
    else:
        values["train_filenames"] = ["p0.png", "p1.png", "p2.png"]
    (folder / "transforms.json").write_text(json.dumps(values))
    return folder
