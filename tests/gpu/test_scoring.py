"""Scores of a scene on a GPU are those of the same scene in main memory."""

import pytest
import torch

from core.jobs import drain
from core.pruning import prune
from core.scoring import SCORES, score
from tests.synthetic import orbit_camera, surface_scene

pytestmark = pytest.mark.gpu


def test_scores_do_not_depend_on_where_the_scene_lives() -> None:
    scene = surface_scene(5_000, sh_degree=2)
    cameras = [orbit_camera(96, 64, index) for index in range(4)]
    here = drain(score(scene, cameras, SCORES))
    there = drain(score(scene.to("cuda"), cameras, SCORES))
    for name, worth in here.items():
        assert there[name].values.device.type == "cpu"
        torch.testing.assert_close(there[name].values, worth.values, rtol=1e-6, atol=1e-9)
    left = prune(scene.to("cuda"), there["removal-error"], 500)
    assert left.device.type == "cuda"
    assert torch.equal(left.means.cpu(), prune(scene, here["removal-error"], 500).means)
