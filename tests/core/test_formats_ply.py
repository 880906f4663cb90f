"""3DGS PLY: exact round trips, files of other programs, and every stated repair."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plyfile import PlyData

from core.cameras import Camera
from core.errors import UserError
from core.formats import load_scene, save_scene
from core.formats.axes import turned
from core.formats.registry import find_format
from core.rendering import render
from core.scene import GaussianScene
from tests.core.formats_examples import (
    by_property,
    gaussian_properties,
    random_scene,
    same,
    table,
    triangles,
    write_with_plyfile,
)

NUMBER_TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"]
COLUMN_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in {*gaussian_properties(4), "nx", "ny", "nz"}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ply")


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 50),
    degree=st.integers(0, 3),
    antialiased=st.booleans(),
    names=st.lists(COLUMN_NAMES, unique=True, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_what_is_saved_is_loaded_to_the_bit(
    folder: Path, count: int, degree: int, antialiased: bool, names: list[str], seed: int
) -> None:
    columns = {name: torch.randn(count) for name in names}
    scene = random_scene(count, degree, seed, antialiased=antialiased, columns=columns)
    path = folder / "round.ply"
    save_scene(scene, path)
    loaded = load_scene(path)
    assert same(loaded.scene, scene)
    assert loaded.repairs == ()
    assert loaded.format == "ply"
    assert loaded.file_bytes == path.stat().st_size


@pytest.mark.parametrize("count", [4228, 4229, 9000])
def test_scenes_larger_than_a_chunk_come_back_whole(tmp_path: Path, count: int) -> None:
    scene = random_scene(count, 3, columns={"worth": torch.rand(count)})
    save_scene(scene, tmp_path / "large.ply")
    assert same(load_scene(tmp_path / "large.ply").scene, scene)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_reads_any_order_type_and_encoding_of_another_program(
    folder: Path, data: st.DataObject
) -> None:
    degree = data.draw(st.integers(0, 3))
    count = data.draw(st.integers(1, 12))
    names = data.draw(st.permutations([*gaussian_properties(degree), "nx", "ny", "nz", "label"]))
    random = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    types = data.draw(st.lists(st.sampled_from(NUMBER_TYPES), min_size=4, max_size=4))
    columns = {}
    for name, code in zip(names, itertools.cycle(types), strict=False):
        values = random.integers(0 if code[0] == "u" else -9, 9, count)
        columns[name] = (values + 10 if name == "rot_0" else values).astype(code)
    path = write_with_plyfile(
        folder / "foreign.ply",
        columns,
        text=data.draw(st.booleans()),
        byte_order=data.draw(st.sampled_from("<>")),
        before={"camera": table({"id": np.arange(3, dtype="u1"), "f": np.ones(3)})},
        after={"face": triangles()},
    )
    loaded = load_scene(path)
    read = by_property(loaded.scene)
    assert loaded.scene.sh_degree == degree
    assert set(read) == {*gaussian_properties(degree), "label"}
    for name, values in read.items():
        np.testing.assert_array_equal(values, columns[name].astype(np.float32), err_msg=name)


def test_another_program_reads_what_is_saved(tmp_path: Path) -> None:
    scene = random_scene(50, 3, columns={"worth": torch.rand(50)})
    save_scene(scene, tmp_path / "ours.ply")
    vertex = PlyData.read(tmp_path / "ours.ply")["vertex"]
    standard = gaussian_properties(3)
    standard[3:3] = ["nx", "ny", "nz"]
    assert [prop.name for prop in vertex.properties] == [*standard, "worth"]
    assert {prop.val_dtype for prop in vertex.properties} == {"f4"}
    for name, values in by_property(scene).items():
        np.testing.assert_array_equal(vertex[name], values, err_msg=name)
    assert not vertex["nx"].any()


@pytest.mark.parametrize("degree", range(4))
def test_vertex_data_have_the_size_a_scene_states(tmp_path: Path, degree: int) -> None:
    scene = random_scene(30, degree)
    save_scene(scene, tmp_path / "scene.ply")
    content = (tmp_path / "scene.ply").read_bytes()
    assert len(content) - content.index(b"end_header\n") - 11 == scene.ply_bytes


def test_higher_coefficients_are_channel_major(tmp_path: Path) -> None:
    columns = {name: np.ones(1, "f4") for name in gaussian_properties(3)}
    columns |= {f"f_rest_{i}": np.full(1, i, "f4") for i in range(45)}
    scene = load_scene(write_with_plyfile(tmp_path / "a.ply", columns)).scene
    expected = torch.arange(45.0).reshape(3, 15).T
    assert torch.equal(scene.sh[0, 1:], expected)


def test_degree_four_is_cut_and_said_so(tmp_path: Path) -> None:
    columns = {name: np.ones(1, "f4") for name in gaussian_properties(4)}
    columns |= {f"f_rest_{i}": np.full(1, i, "f4") for i in range(72)}
    loaded = load_scene(write_with_plyfile(tmp_path / "a.ply", columns))
    assert torch.equal(loaded.scene.sh[0, 1:], torch.arange(72.0).reshape(3, 24)[:, :15].T)
    assert loaded.repairs == ("Cut spherical harmonics of degree 4 to degree 3.",)


@pytest.mark.parametrize(
    ("comment", "antialiased"),
    [
        ("SplatRenderMode: mip", True),
        ("SplatRenderMode: default", False),
        ("antialiased 1", True),
        ("antialiased 0", False),
        ("antialiased 10", False),
        ("not antialiased 1", False),
    ],
)
def test_comments_tell_how_the_scene_was_trained(
    tmp_path: Path, comment: str, antialiased: bool
) -> None:
    path = write_with_plyfile(tmp_path / "a.ply", by_property(random_scene()), comments=(comment,))
    assert load_scene(path).scene.antialiased is antialiased


def test_antialiased_scenes_carry_both_comments(tmp_path: Path) -> None:
    save_scene(random_scene(antialiased=True), tmp_path / "a.ply")
    comments = PlyData.read(tmp_path / "a.ply").comments
    assert comments == ["SplatRenderMode: mip", "antialiased 1"]


@pytest.mark.parametrize("newline", [b"\r\n", b"\r"])
def test_every_line_ending_even_before_data_that_look_like_one(
    tmp_path: Path, newline: bytes
) -> None:
    columns = by_property(random_scene(3, 0))
    columns = {"first": np.full(3, 10, "u1"), **columns}
    content = write_with_plyfile(tmp_path / "a.ply", columns).read_bytes()
    end = content.index(b"end_header\n") + 11
    (tmp_path / "b.ply").write_bytes(content[:end].replace(b"\n", newline) + content[end:])
    scene = load_scene(tmp_path / "b.ply").scene
    assert scene.columns["first"].tolist() == [10, 10, 10]
    np.testing.assert_array_equal(scene.means[:, 0], columns["x"])


def test_half_precision_is_read(tmp_path: Path) -> None:
    names = gaussian_properties(0)
    header = ["ply", "format binary_little_endian 1.0", "element vertex 2"]
    header += [f"property half {name}" for name in names] + ["end_header", ""]
    values = np.linspace(-2, 2, 2 * len(names)).astype("<f2")
    (tmp_path / "a.ply").write_bytes("\n".join(header).encode() + values.tobytes())
    read = by_property(load_scene(tmp_path / "a.ply").scene)
    expected = values.reshape(2, -1).astype(np.float32)
    np.testing.assert_array_equal(np.stack([read[name] for name in names], axis=1), expected)


def test_large_whole_numbers_are_said_to_be_rounded(tmp_path: Path) -> None:
    columns = by_property(random_scene(2, 0))
    exact = {**columns, "id": np.array([1, 1 << 24], "u4")}
    rounded = {**columns, "id": np.array([1, (1 << 24) + 3], "u4")}
    assert load_scene(write_with_plyfile(tmp_path / "a.ply", exact)).repairs == ()
    repairs = load_scene(write_with_plyfile(tmp_path / "b.ply", rounded)).repairs
    assert repairs == ("Rounded whole numbers above 16777216 in 'id'.",)


def test_column_names_are_made_fit_for_a_ply(tmp_path: Path) -> None:
    worth = torch.rand(20)
    save_scene(random_scene(columns={"Fisher score": worth}), tmp_path / "a.ply")
    columns = load_scene(tmp_path / "a.ply").scene.columns
    assert list(columns) == ["Fisher_score"]
    assert torch.equal(columns["Fisher_score"], worth)


@pytest.mark.parametrize("names", [["opacity"], ["a b", "a_b"]])
def test_columns_that_would_collide_are_refused(tmp_path: Path, names: list[str]) -> None:
    scene = random_scene(columns={name: torch.rand(20) for name in names})
    with pytest.raises(UserError, match="same name"):
        save_scene(scene, tmp_path / "a.ply")
    assert list(tmp_path.iterdir()) == []


LEFT_OUT = "Left out 1 Gaussian with non-finite or far too large values."


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("x", np.nan, LEFT_OUT),
        ("y", np.inf, LEFT_OUT),
        ("z", -1e30, LEFT_OUT),
        ("f_dc_1", np.nan, LEFT_OUT),
        ("f_rest_7", -np.inf, LEFT_OUT),
        ("opacity", np.nan, LEFT_OUT),
        ("scale_0", np.nan, LEFT_OUT),
        ("scale_1", np.inf, LEFT_OUT),
        ("scale_2", 88.0, LEFT_OUT),
        ("rot_3", np.nan, LEFT_OUT),
        ("rot_0", np.inf, LEFT_OUT),
        ("opacity", np.inf, "Set an infinite opacity logit to a finite one in 1 Gaussian."),
        ("opacity", -np.inf, "Set an infinite opacity logit to a finite one in 1 Gaussian."),
        ("scale_0", -np.inf, "Set a vanishing scale to the smallest usable in 1 Gaussian."),
        ("scale_2", -1e30, "Set a vanishing scale to the smallest usable in 1 Gaussian."),
    ],
)
@pytest.mark.parametrize("text", [False, True])
def test_unusable_values_are_repaired_and_said_so(
    tmp_path: Path, name: str, value: float, sentence: str, text: bool
) -> None:
    scene = random_scene(20, 2)
    columns = {n: values.copy() for n, values in by_property(scene).items()}
    columns[name][4] = value
    loaded = load_scene(write_with_plyfile(tmp_path / "a.ply", columns, text=text))
    assert loaded.repairs == (sentence,)
    others = torch.arange(20) != 4
    kept = others if sentence == LEFT_OUT else torch.ones(20, dtype=torch.bool)
    assert len(loaded.scene) == int(kept.sum())
    untouched = loaded.scene if sentence == LEFT_OUT else loaded.scene.select(others)
    if not text:
        assert same(untouched, scene.select(others))
    for tensor in loaded.scene.tensors().values():
        assert tensor.isfinite().all()
    assert loaded.scene.log_scales.exp().square().gt(0).all()


def test_infinite_opacities_keep_their_side(tmp_path: Path) -> None:
    columns = by_property(random_scene(3, 0))
    columns["opacity"] = np.array([np.inf, -np.inf, 55.0], "f4")
    scene = load_scene(write_with_plyfile(tmp_path / "a.ply", columns)).scene
    assert scene.opacity_logits.tolist() == [20, -20, 55]


@pytest.mark.parametrize("length", [0.0, 1e-30])
def test_zero_quaternions_become_the_identity(tmp_path: Path, length: float) -> None:
    columns = {n: values.copy() for n, values in by_property(random_scene(3, 0)).items()}
    for i in range(4):
        columns[f"rot_{i}"][1] = length
    loaded = load_scene(write_with_plyfile(tmp_path / "a.ply", columns))
    assert loaded.scene.quats[1].tolist() == [1, 0, 0, 0]
    assert loaded.scene.quats[0].tolist() == [columns[f"rot_{i}"][0] for i in range(4)]
    assert loaded.repairs == ("Set a zero quaternion to the identity rotation in 1 Gaussian.",)


def test_doubles_beyond_single_precision_are_left_out(tmp_path: Path) -> None:
    columns = by_property(random_scene(5, 0))
    columns["x"] = columns["x"].astype("f8")
    columns["x"][2] = 1e300
    assert load_scene(write_with_plyfile(tmp_path / "a.ply", columns)).repairs == (LEFT_OUT,)


def test_a_file_without_a_usable_gaussian_does_not_open(tmp_path: Path) -> None:
    columns = by_property(random_scene(5, 0))
    columns["x"] = np.full(5, np.nan, "f4")
    with pytest.raises(UserError, match="none of its Gaussians"):
        load_scene(write_with_plyfile(tmp_path / "a.ply", columns))
    with pytest.raises(UserError, match="holds no Gaussians"):
        load_scene(write_with_plyfile(tmp_path / "b.ply", {n: v[:0] for n, v in columns.items()}))


def test_meshes_and_point_clouds_are_told_apart(tmp_path: Path) -> None:
    cloud = {axis: np.zeros(4, "f4") for axis in "xyz"} | {"red": np.zeros(4, "u1")}
    for after in ({}, {"face": triangles()}):
        path = write_with_plyfile(tmp_path / "cloud.ply", cloud, after=after)
        with pytest.raises(UserError, match="point cloud or mesh, not Gaussians") as caught:
            load_scene(path)
        assert caught.value.hint


def test_missing_properties_are_named(tmp_path: Path) -> None:
    columns = by_property(random_scene(2, 0))
    del columns["scale_2"], columns["y"]
    with pytest.raises(UserError, match="lack y, scale_2"):
        load_scene(write_with_plyfile(tmp_path / "a.ply", columns))


@pytest.mark.parametrize("rest", [1, 8, 10, 46])
def test_incomplete_harmonics_are_refused(tmp_path: Path, rest: int) -> None:
    columns = by_property(random_scene(2, 0))
    columns |= {f"f_rest_{i}": np.zeros(2, "f4") for i in range(rest)}
    with pytest.raises(UserError, match=f"its {rest} properties f_rest"):
        load_scene(write_with_plyfile(tmp_path / "a.ply", columns))


def test_lists_before_the_gaussians_are_refused(tmp_path: Path) -> None:
    columns = by_property(random_scene(2, 0))
    path = write_with_plyfile(tmp_path / "a.ply", columns, before={"face": triangles()})
    with pytest.raises(UserError, match="'face' element holds lists"):
        load_scene(path)


def test_scenes_that_need_gradients_are_saved(tmp_path: Path) -> None:
    scene = random_scene(5, 1)
    trained = GaussianScene(*(tensor.requires_grad_() for tensor in scene.tensors().values()))
    save_scene(trained, tmp_path / "a.ply")
    assert same(load_scene(tmp_path / "a.ply").scene, scene)


@pytest.mark.parametrize(
    ("name", "count", "degree"),
    [
        ("captures/snowmiku_495x371/trained/scene_105k_sh3.ply", 105_088, 3),
        ("captures/chair_400_with_trained_splat/chair_111650.ply", 111_650, 0),
    ],
)
def test_real_scenes_agree_with_another_reader(
    data_dir: Path, tmp_path: Path, name: str, count: int, degree: int
) -> None:
    loaded = load_scene(data_dir / name)
    assert (len(loaded.scene), loaded.scene.sh_degree, loaded.repairs) == (count, degree, ())
    vertex = PlyData.read(data_dir / name)["vertex"]
    for prop, values in by_property(loaded.scene).items():
        np.testing.assert_array_equal(values, vertex[prop], err_msg=prop)
    save_scene(loaded.scene, tmp_path / "copy.ply")
    assert same(load_scene(tmp_path / "copy.ply").scene, loaded.scene)


# A scene's own camera


def camera(**changes: object) -> Camera:
    turn = np.eye(4)
    turn[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    turn[:3, 3] = [0.1, -2.5, 1 / 3]
    K = np.array([[31.7, 0, 32], [0, 30.1, 24], [0, 0, 1]])
    return Camera(**{"world_to_camera": turn, "K": K, "width": 64, "height": 48, **changes})


def test_a_scenes_own_camera_comes_back_and_stays_with_its_parts(tmp_path: Path) -> None:
    scene = replace(random_scene(20, 1), camera=camera())
    save_scene(scene.select(torch.arange(5)), tmp_path / "own.ply")
    loaded = load_scene(tmp_path / "own.ply").scene
    assert loaded.camera is not None
    assert loaded.camera.same_as(camera())
    assert (tmp_path / "own.ply").stat().st_size == find_format(tmp_path / "own.ply").size(scene, 5)
    assert turned(turned(loaded)).camera.same_as(camera())
    picture = render(scene, camera(), background=(1, 1, 1)).rgb
    assert torch.allclose(
        picture, render(turned(scene), turned(scene).camera, background=(1, 1, 1)).rgb, atol=1e-5
    )
    assert PlyData.read(tmp_path / "own.ply")["vertex"].count == 5


@pytest.mark.parametrize(
    "comment",
    [
        "splatscope camera",
        "splatscope camera 64 48 1 2 3",
        "splatscope camera 64 48 31 31 32 24 1 0 0 0 0 1 0 0 0 0 1",
        "splatscope camera 64 48 31 31 32 24 1 0 0 0 0 1 0 0 0 0 1 0 0",
        "splatscope camera 64 48 31 31 32 24 2 0 0 0 0 1 0 0 0 0 1 0",
        "splatscope camera 64 48 31 31 32 24 1 0 0 0 0 1 0 0 0 0 -1 0",
        "splatscope camera 64 48 31 31 32 24 1 0 0 nan 0 1 0 0 0 0 1 0",
        "splatscope camera 64 48 31 31 32 24 1 0 0 1e300 0 1 0 0 0 0 1 0",
        "splatscope camera 0 48 31 31 32 24 1 0 0 0 0 1 0 0 0 0 1 0",
        "splatscope camera 64 48 -31 31 32 24 1 0 0 0 0 1 0 0 0 0 1 0",
        "splatscope camera 999999999 48 31 31 32 24 1 0 0 0 0 1 0 0 0 0 1 0",
        "splatscope camera 6x4 48 31 31 32 24 1 0 0 0 0 1 0 0 0 0 1 0",
    ],
)
def test_a_camera_that_cannot_be_is_none(tmp_path: Path, comment: str) -> None:
    path = tmp_path / "odd.ply"
    save_scene(random_scene(3, 0), path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"element", b"comment " + comment.encode() + b"\nelement", 1))
    loaded = load_scene(path)
    assert len(loaded.scene) == 3
    assert loaded.scene.camera is None
