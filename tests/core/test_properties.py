"""What is known of every Gaussian without rendering."""

import colorsys
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.editing import Document
from core.framing import scene_frame
from core.properties import PROPERTIES, property_names, property_title, property_values
from core.scene import SH_C0, GaussianScene
from core.scoring.worth import ordinary
from tests.blobs import blob_scene

LOGITS = st.sampled_from([math.nan, math.inf, -math.inf, 3e38, -3e38, 100.0, -100.0, 0.0, 1.0])


def colored(colors: list[tuple[float, float, float]]) -> GaussianScene:
    """Gaussians of given base colours."""
    scene = blob_scene(len(colors), sh_degree=0)
    sh = ((torch.tensor(colors) - 0.5) / SH_C0)[:, None]
    return GaussianScene(
        scene.means, scene.log_scales, scene.quats, scene.opacity_logits, sh.float()
    )


def test_sizes_follow_from_the_axes() -> None:
    scene = blob_scene(50)
    axes = np.sort(np.exp(scene.log_scales.double().numpy()), axis=1)
    expected = {
        "largest": axes[:, 2],
        "smallest": axes[:, 0],
        "volume": 4 / 3 * np.pi * axes.prod(axis=1),
        "anisotropy": axes[:, 2] / axes[:, 0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(property_values(scene, name), values, rtol=1e-12, err_msg=name)
        assert PROPERTIES[name].log


def test_places_and_opacity() -> None:
    scene = blob_scene(50)
    means = scene.means.double().numpy()
    for axis, name in enumerate("xyz"):
        np.testing.assert_array_equal(property_values(scene, name), means[:, axis])
    away = np.linalg.norm(means - scene_frame(scene).center, axis=1)
    np.testing.assert_allclose(property_values(scene, "distance"), away, rtol=1e-12)
    np.testing.assert_array_equal(property_values(scene, "opacity"), scene.opacities())
    apart = np.linalg.norm(means[:, None] - means[None], axis=2)
    nearest = np.sort(apart, axis=1)[:, 1:9].mean(axis=1)
    np.testing.assert_allclose(property_values(scene, "neighbours"), nearest, rtol=1e-12)


def test_colours_agree_with_the_standard_library() -> None:
    levels = (0.0, 0.25, 0.5, 1.0)
    colors = [(r, g, b) for r in levels for g in levels for b in levels]
    scene = colored(colors)
    actual = {
        name: property_values(scene, name)
        for name in ("red", "green", "blue", "hue", "saturation", "lightness")
    }
    for i, color in enumerate(colors):
        hue, lightness, saturation = colorsys.rgb_to_hls(*color)
        np.testing.assert_allclose(
            [actual[name][i] for name in ("red", "green", "blue")], color, atol=1e-6
        )
        assert actual["lightness"][i] == pytest.approx(lightness, abs=1e-6)
        if len(set(color)) > 1:
            apart = abs(actual["hue"][i] - 360 * hue) % 360
            assert min(apart, 360 - apart) < 1e-3, color
            assert actual["saturation"][i] == pytest.approx(saturation, abs=1e-5), color


def test_greys_have_neither_hue_nor_saturation() -> None:
    sh = torch.zeros(4, 1, 3) + torch.tensor([-9.0, 0.0, 0.4, 9.0])[:, None, None]
    scene = blob_scene(4)
    scene = GaussianScene(scene.means, scene.log_scales, scene.quats, scene.opacity_logits, sh)
    assert property_values(scene, "hue").tolist() == [0, 0, 0, 0]
    assert property_values(scene, "saturation").tolist() == [0, 0, 0, 0]
    assert property_values(scene, "lightness")[[0, 1, 3]].tolist() == [0, 0.5, 1]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[LOGITS] * 5), max_size=12))
def test_hostile_numbers_never_raise(rows: list[tuple[float, ...]]) -> None:
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    scene = GaussianScene(
        means=table[:, :3].contiguous(),
        log_scales=table[:, 1:4].contiguous(),
        quats=table[:, :4].contiguous(),
        opacity_logits=table[:, 4].contiguous(),
        sh=table[:, None, 2:5].contiguous(),
        columns={"odd": table[:, 0].contiguous()},
    )
    for name in property_names(scene):
        values = property_values(scene, name)
        assert values.shape == (len(rows),)
        assert values.dtype == np.float64


def test_finite_numbers_give_finite_values() -> None:
    scene = blob_scene(20)
    huge = torch.full((20, 3), 60.0)
    huge[:10] *= -1
    scene = GaussianScene(
        scene.means * 1e30, huge, scene.quats, scene.opacity_logits * 1e30, scene.sh * 1e30
    )
    for name in property_names(scene):
        assert np.isfinite(property_values(scene, name)).all(), name


def test_columns_with_taken_names_step_aside() -> None:
    columns = {
        name: torch.full((5,), float(i))
        for i, name in enumerate(["worth", "hue", "fisher", "file.hue", "file.free", "Area"])
    }
    scene = blob_scene(5).with_columns(columns)
    names = property_names(scene)
    own = names[len(PROPERTIES) :]
    assert names[: len(PROPERTIES)] == list(PROPERTIES)
    assert own == ["Area", "file.file.free", "file.file.hue", "file.fisher", "file.hue", "worth"]
    assert [property_values(scene, name)[0] for name in own] == [5, 4, 3, 2, 1, 0]
    assert property_title(scene, "hue") == "Hue"
    assert property_title(scene, "file.hue") == "hue (file)"
    assert property_title(scene, "worth") == "worth"
    assert property_title(scene, "fisher") == "Fisher sensitivity"
    for unknown in ("fisher", "nothing", "file.worth", "file.free"):
        with pytest.raises(KeyError):
            property_values(scene, unknown)
    with pytest.raises(KeyError):
        property_title(scene, "nothing")


def test_a_computed_score_does_not_hide_the_files_column() -> None:
    scene = blob_scene(3).with_columns({"opacity": torch.tensor([7.0, 8.0, 9.0])})
    document = Document(scene)
    document.add_scores({"opacity": ordinary("opacity", scene.opacities())})
    assert document.values("file.opacity").tolist() == [7, 8, 9]
    np.testing.assert_array_equal(document.values("opacity"), scene.opacities())


def test_integer_columns_become_numbers() -> None:
    scene = blob_scene(3).with_columns({"label": torch.tensor([1, 2, 300])})
    values = property_values(scene, "label")
    assert values.dtype == np.float64
    assert values.tolist() == [1, 2, 300]


def test_every_property_can_be_shown() -> None:
    for name, entry in PROPERTIES.items():
        assert entry.title
        assert entry.about.endswith("."), name
    assert list(PROPERTIES)[:2] == ["opacity", "largest"]
    assert {name for name, entry in PROPERTIES.items() if entry.slow} == {"distance", "neighbours"}


@pytest.mark.gpu
def test_a_scene_on_the_gpu_has_the_same_values() -> None:
    scene = blob_scene(300).with_columns({"label": torch.arange(300)})
    there = scene.to("cuda")
    for name in property_names(scene):
        np.testing.assert_allclose(
            property_values(there, name), property_values(scene, name), rtol=1e-5, atol=1e-6
        )
