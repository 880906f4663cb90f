"""A scene on CUDA is drawn by CUDA, unless OpenGL is asked for."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot

from core.jobs import Lane
from core.rendering import render
from tests.synthetic import orbit_camera, surface_scene
from viewer.look import Engine, Look
from viewer.viewport.frames import Frame, FrameRenderer
from viewer.viewport.request import FrameRequest
from viewer.viewport.splats_engine import OpenGl
from viewer.viewport.tints import BACKGROUND

pytestmark = pytest.mark.gpu

COUNT = 2000
CAMERA = orbit_camera(160, 120)


@pytest.fixture
def renderer() -> Iterator[FrameRenderer]:
    renderer = FrameRenderer(Lane())
    renderer.opengl = OpenGl("NVIDIA GeForce RTX 3060/PCIe/SSE2", 10**7)
    yield renderer
    assert renderer.shut_down()


def frame_of(qtbot: QtBot, renderer: FrameRenderer, engine: Engine) -> Frame:
    everything = torch.ones(COUNT, dtype=torch.bool)
    scene = surface_scene(COUNT).to("cuda")
    with qtbot.waitSignal(renderer.ready, timeout=60_000):
        renderer.request(
            FrameRequest(scene, everything, everything, ~everything, CAMERA, Look(engine=engine))
        )
    frame = renderer.take_frame()
    assert frame is not None
    return frame


@pytest.mark.parametrize("on_device", [False, True])
def test_by_itself_cuda_draws_what_lies_there(
    qtbot: QtBot, renderer: FrameRenderer, on_device: bool
) -> None:
    renderer.on_device = on_device
    frame = frame_of(qtbot, renderer, Engine.AUTO)
    assert frame.splats is None
    assert frame.backend == "CUDA · gsplat"
    assert isinstance(frame.pixels, torch.Tensor) == on_device
    seen = torch.as_tensor(frame.pixels).cpu()[..., :3].int()
    rgb = render(surface_scene(COUNT), CAMERA, background=BACKGROUND).rgb
    away = (seen - (rgb.clamp(0, 1) * 255).round()).abs()
    assert float((away <= 1).float().mean()) > 0.995


def test_forced_opengl_gets_the_splats_of_a_scene_on_cuda(
    qtbot: QtBot, renderer: FrameRenderer
) -> None:
    frame = frame_of(qtbot, renderer, Engine.OPENGL)
    assert frame.splats is not None
    assert frame.pixels is None
    assert frame.splats.data.count == COUNT
    assert np.isfinite(frame.splats.full.cost).all()
