"""Frame time on a GPU is that of the picture, not of asking for it."""

import pytest
import torch

from core.cameras import Camera, intrinsics, look_at
from core.jobs import drain
from core.metrics import frame_time
from tests.blobs import blob_scene

pytestmark = pytest.mark.gpu


def test_the_gpus_work_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = blob_scene(100).to("cuda")
    camera = Camera(look_at((0, 0, -3), (0, 0, 0), (0, -1, 0)), intrinsics(50, 64, 64), 64, 64)
    usual = drain(frame_time(scene, [camera]))
    assert usual > 0

    def long(*_arguments: object, **_options: object) -> None:
        torch.cuda._sleep(200_000_000)

    monkeypatch.setattr("core.metrics.timing.render", long)
    assert drain(frame_time(scene, [camera])) > 40
