"""What a region takes of a scene on a GPU is what it takes of the same scene in main memory."""

import numpy as np
import pytest
import torch

from core.editing.regions import (
    flood,
    heaviest,
    in_box,
    in_front,
    in_region,
    in_sphere,
    like_color,
    sight,
)
from tests.synthetic import orbit_camera, surface_scene

pytestmark = pytest.mark.gpu


def test_regions_do_not_depend_on_where_the_scene_lives() -> None:
    here = surface_scene(5_000, sh_degree=1)
    there = here.to("cuda")
    camera = orbit_camera(96, 64, 0)
    visible = torch.rand(len(here), generator=torch.Generator().manual_seed(0)) < 0.8
    region = np.zeros((64, 96), dtype=bool)
    region[10:50, 20:80] = True
    seen, seen_there = (sight(scene, camera, 48, 40, visible) for scene in (here, there))
    assert seen is not None
    assert seen_there is not None
    assert seen_there.depth == pytest.approx(seen.depth, rel=1e-3)
    torch.testing.assert_close(seen_there.color, seen.color, atol=0.01, rtol=0)
    for find in (
        lambda scene: in_region(scene, camera, region, visible),
        lambda scene: in_front(scene, camera, visible),
        lambda scene: heaviest(scene, camera, 48, 40, visible),
        lambda scene: like_color(scene, seen.color, 0.2, visible),
        lambda scene: flood(scene, seen, 0.3, visible),
        lambda scene: in_sphere(scene.means, seen.point, 1.0),
        lambda scene: in_box(scene.means, seen.point - 1, seen.point + 1),
    ):
        found = find(there)
        assert found.device.type == "cpu"
        assert int((found != find(here)).sum()) <= 2, "rounding at the rim"
