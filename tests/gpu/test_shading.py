"""Every mode on CUDA against the same mode on the CPU."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.cameras import View
from core.scoring import ORDINARY, Worth
from tests.synthetic import orbit_camera, surface_scene
from viewer.look import Look, Mode, Overlay
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import Shading

pytestmark = pytest.mark.gpu

COUNT = 3000
CAMERA = orbit_camera(200, 120)
MARKS = (frozenset(), frozenset({Overlay.CENTERS}), frozenset({Overlay.RINGS}))


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("overlays", MARKS, ids=["plain", "centers", "rings"])
def test_modes_agree_with_the_cpu(mode: Mode, overlays: frozenset[Overlay], tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8)).save(photo)
    scene = surface_scene(COUNT)
    all_ = torch.ones(COUNT, dtype=torch.bool)
    removed, selected = all_.clone(), all_.clone()
    removed[1500:] = False
    selected[1000:] = False
    values = torch.arange(COUNT).double()
    request = FrameRequest(
        scene,
        all_,
        all_,
        selected,
        CAMERA,
        look=Look(mode=mode, overlays=overlays, photo_opacity=0.3),
        worth=Worth("removal-error", values, torch.full((COUNT,), ORDINARY, dtype=torch.uint8)),
        removed=removed,
        view=View(CAMERA, photo),
    )
    ours = Shading().picture(request)
    theirs = Shading().picture(replace(request, scene=scene.to("cuda")))
    difference = (ours.pixels.int() - theirs.pixels.cpu().int()).abs().amax(-1)
    assert float((difference <= 3).float().mean()) > 0.99
    assert (theirs.drawn, theirs.ghosts, theirs.notes) == (ours.drawn, ours.ghosts, ours.notes)
    assert (theirs.legend is None) == (ours.legend is None)
