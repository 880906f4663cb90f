"""Datasets: the same camera in every format, distortion, splits, sizes, and damaged files."""

import json
import math
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from PIL import Image

from core.cameras import Camera, Lens, Split, View, look_at
from core.datasets import DatasetKind, load_dataset, load_photo
from core.errors import UserError

WIDTH, HEIGHT = 64, 48
FX, FY, CX, CY = 70.0, 72.0, 30.0, 25.0
POINT = np.array([0.2, -0.1, 0.3])
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
Json = dict[str, object]


def poses(count: int = 10) -> list[np.ndarray]:
    """World-to-camera transforms on a circle, y down."""
    angles = np.linspace(0, 5, count)
    return [look_at((3 * math.sin(a), -1, 3 * math.cos(a)), (0, 0, 0), (0, -1, 0)) for a in angles]


def name(index: int) -> str:
    return f"photo_{index:02d}.png"


def write_photos(folder: Path, size: tuple[int, int] = (WIDTH, HEIGHT), count: int = 10) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("RGB", size, (10 * index, 100, 200)).save(folder / name(index))


def transforms(**more: object) -> Json:
    """A transforms.json of ``poses()``, with OpenGL axes."""
    frames = [
        {"file_path": f"images/{name(i)}", "transform_matrix": (np.linalg.inv(p) @ OPENGL).tolist()}
        for i, p in enumerate(poses())
    ]
    shared = {"w": WIDTH, "h": HEIGHT, "fl_x": FX, "fl_y": FY, "cx": CX, "cy": CY}
    return {**shared, "frames": frames, **more}


def write_transforms(folder: Path, data: object = None, file: str = "transforms.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(transforms() if data is None else data))
    return folder


def reconstruction(model: str = "PINHOLE", params: tuple[float, ...] = (FX, FY, CX, CY)):
    """A COLMAP model of ``poses()`` with a point, made by COLMAP's own library."""
    result = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        model=model, width=WIDTH, height=HEIGHT, params=list(params), camera_id=1
    )
    result.add_camera_with_trivial_rig(camera)
    for index, pose in enumerate(poses()):
        image = pycolmap.Image(name=name(index), camera_id=1, image_id=index + 1)
        image.points2D = pycolmap.Point2DList([pycolmap.Point2D(np.array([3.0, 4.0]))])
        result.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose[:3]))
    result.add_point3D(POINT, pycolmap.Track(), np.array([1, 2, 3], np.uint8))
    return result


def write_colmap(folder: Path, binary: bool = True, **camera: object) -> Path:
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    made = reconstruction(**camera)
    (made.write_binary if binary else made.write_text)(str(model))
    return model


def write_cameras_json(folder: Path) -> Path:
    entries = []
    for index, pose in enumerate(poses()):
        to_world = np.linalg.inv(pose)
        entries.append(
            {
                "id": index,
                "img_name": Path(name(index)).stem,
                "width": WIDTH,
                "height": HEIGHT,
                "position": to_world[:3, 3].tolist(),
                "rotation": to_world[:3, :3].tolist(),
                "fx": FX,
                "fy": FY,
            }
        )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "cameras.json"
    file.write_text(json.dumps(entries))
    return file


def pixel(camera: Camera, point: np.ndarray = POINT) -> np.ndarray:
    local = camera.world_to_camera[:3, :3] @ point + camera.world_to_camera[:3, 3]
    x, y, z = camera.K @ local
    return np.array([x / z, y / z])


def expected_pixel(index: int, cx: float = CX, cy: float = CY) -> np.ndarray:
    x, y, z = poses()[index][:3, :3] @ POINT + poses()[index][:3, 3]
    assert z > 0
    return np.array([FX * x / z + cx, FY * y / z + cy])


class TestFormatsAgree:
    @pytest.mark.parametrize("binary", [True, False])
    def test_colmap(self, tmp_path: Path, binary: bool) -> None:
        write_colmap(tmp_path, binary)
        dataset = load_dataset(tmp_path)
        assert dataset.kind == DatasetKind.COLMAP
        for index, view in enumerate(dataset.views):
            assert view.name == name(index)
            assert view.photo is None
            assert pixel(view.camera) == pytest.approx(expected_pixel(index))
        assert dataset.points == pytest.approx(POINT[None])
        assert dataset.point_colors.tolist() == [[1, 2, 3]]

    def test_transforms(self, tmp_path: Path) -> None:
        dataset = load_dataset(write_transforms(tmp_path))
        assert dataset.kind == DatasetKind.TRANSFORMS
        for index, view in enumerate(dataset.views):
            assert view.name == name(index)
            assert pixel(view.camera) == pytest.approx(expected_pixel(index))

    def test_cameras_json(self, tmp_path: Path) -> None:
        write_cameras_json(tmp_path)
        write_photos(tmp_path / "images")
        dataset = load_dataset(tmp_path)
        assert dataset.kind == DatasetKind.CAMERAS_JSON
        for index, view in enumerate(dataset.views):
            expected = expected_pixel(index, WIDTH / 2, HEIGHT / 2)
            assert pixel(view.camera) == pytest.approx(expected)
            assert view.photo == tmp_path / "images" / name(index)

    def test_up_points_away_from_the_ground(self, tmp_path: Path) -> None:
        up = load_dataset(write_transforms(tmp_path)).up
        assert np.linalg.norm(up) == pytest.approx(1)
        assert up[1] < -0.9

    def test_preference_and_the_file_that_overrides_it(self, tmp_path: Path) -> None:
        model, cameras = write_colmap(tmp_path), write_cameras_json(tmp_path)
        assert load_dataset(tmp_path).kind == DatasetKind.COLMAP
        write_transforms(tmp_path)
        assert load_dataset(tmp_path).kind == DatasetKind.TRANSFORMS
        assert load_dataset(cameras).kind == DatasetKind.CAMERAS_JSON
        assert load_dataset(model).kind == DatasetKind.COLMAP
        assert load_dataset(model.parent).kind == DatasetKind.COLMAP
        assert load_dataset(model / "images.bin").kind == DatasetKind.COLMAP

    def test_a_rig_of_two_cameras(self, tmp_path: Path) -> None:
        made = pycolmap.Reconstruction()
        for camera_id in (1, 2):
            camera = pycolmap.Camera(
                model="PINHOLE", width=8, height=8, params=[9, 9, 4, 4], camera_id=camera_id
            )
            made.add_camera(camera)
        offset = pycolmap.Rigid3d(np.hstack([np.eye(3), [[0.5], [0], [0]]]))
        rig = pycolmap.Rig(rig_id=1)
        rig.add_ref_sensor(made.cameras[1].sensor_id)
        rig.add_sensor(made.cameras[2].sensor_id, offset)
        made.add_rig(rig)
        frame = pycolmap.Frame(
            frame_id=1, rig_id=1, rig_from_world=pycolmap.Rigid3d(poses()[0][:3])
        )
        images = [
            pycolmap.Image(name=f"{c}.png", camera_id=c, image_id=c, frame_id=1) for c in (1, 2)
        ]
        for image in images:
            frame.add_data_id(image.data_id)
        made.add_frame(frame)
        for image in images:
            made.add_image(image)
        made.register_frame(1)
        model = tmp_path / "sparse"
        model.mkdir()
        made.write_binary(str(model))
        first, second = load_dataset(tmp_path).views
        shift = second.camera.world_to_camera[:3, 3] - first.camera.world_to_camera[:3, 3]
        assert shift == pytest.approx((0.5, 0, 0))


class TestSplits:
    def test_every_eighth_by_name(self, tmp_path: Path) -> None:
        data = transforms()
        data["frames"] = list(reversed(data["frames"]))
        dataset = load_dataset(write_transforms(tmp_path, data))
        assert [view.name for view in dataset.test] == [name(0), name(8)]
        assert len(dataset.train) == 8

    def test_frames_that_state_it(self, tmp_path: Path) -> None:
        data = transforms()
        for index, frame in enumerate(data["frames"]):
            frame["split"] = "test" if index == 3 else "train"
        dataset = load_dataset(write_transforms(tmp_path, data))
        assert [view.name for view in dataset.test] == [name(3)]

    def test_lists_of_file_names(self, tmp_path: Path) -> None:
        files = [f"images/{name(i)}" for i in range(10)]
        data = transforms(train_filenames=files[:7], test_filenames=files[7:])
        dataset = load_dataset(write_transforms(tmp_path, data))
        assert [view.name for view in dataset.test] == [name(7), name(8), name(9)]

    def test_one_file_each(self, tmp_path: Path) -> None:
        frames = transforms()["frames"]
        write_transforms(tmp_path, transforms(frames=frames[:8]), "transforms_train.json")
        write_transforms(tmp_path, transforms(frames=frames[8:]), "transforms_test.json")
        dataset = load_dataset(tmp_path)
        assert [view.name for view in dataset.test] == [name(8), name(9)]
        alone = load_dataset(tmp_path / "transforms_test.json")
        assert len(alone.test) == len(alone.views) == 2


class TestBlender:
    def test_field_of_view_size_and_suffix_come_from_the_photo(self, tmp_path: Path) -> None:
        write_photos(tmp_path / "train", count=2)
        frames = [
            {"file_path": f"./train/photo_0{i}", "transform_matrix": np.eye(4).tolist()}
            for i in range(2)
        ]
        data = {"camera_angle_x": 0.7, "frames": frames}
        dataset = load_dataset(write_transforms(tmp_path, data))
        camera = dataset.views[0].camera
        focal = 0.5 * WIDTH / math.tan(0.35)
        assert np.allclose(camera.K, [[focal, 0, 32], [0, focal, 24], [0, 0, 1]])
        assert camera.name == "train/photo_00"
        assert camera.forward == pytest.approx((0, 0, -1))
        assert dataset.up == pytest.approx((0, 1, 0))

    def test_size_unknown_without_photo(self, tmp_path: Path) -> None:
        frame = {"file_path": "r_0", "transform_matrix": np.eye(4).tolist()}
        write_transforms(tmp_path, {"camera_angle_x": 0.7, "frames": [frame]})
        with pytest.raises(UserError, match=r'r_0.*"w" and "h"'):
            load_dataset(tmp_path)

    def test_transparency_survives(self, tmp_path: Path) -> None:
        pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        pixels[:, : WIDTH // 2] = (200, 100, 50, 255)
        (tmp_path / "images").mkdir()
        Image.fromarray(pixels).save(tmp_path / "images" / name(0))
        view = load_dataset(write_transforms(tmp_path)).views[0]
        assert np.array_equal(load_photo(view), pixels)
        half = load_photo(replace(view, camera=view.camera.scaled(0.5)))
        assert half.shape == (HEIGHT // 2, WIDTH // 2, 4)
        opaque = half[half[..., 3] > 60]
        assert np.abs(opaque[:, :3].astype(int) - (200, 100, 50)).max() <= 3


class TestPhotos:
    def test_intrinsics_follow_the_size_of_the_photo(self, tmp_path: Path) -> None:
        write_colmap(tmp_path)
        write_photos(tmp_path / "images_4", (WIDTH // 4, HEIGHT // 4))
        view = load_dataset(tmp_path).views[2]
        assert view.photo == tmp_path / "images_4" / name(2)
        assert (view.camera.width, view.camera.height) == (WIDTH // 4, HEIGHT // 4)
        assert pixel(view.camera) == pytest.approx(expected_pixel(2) / 4)
        assert load_photo(view).shape == (HEIGHT // 4, WIDTH // 4, 3)

    def test_full_size_photos_come_first(self, tmp_path: Path) -> None:
        write_transforms(tmp_path)
        write_photos(tmp_path / "images")
        write_photos(tmp_path / "images_2", (WIDTH // 2, HEIGHT // 2))
        assert load_dataset(tmp_path).views[0].photo == tmp_path / "images" / name(0)

    def test_photos_are_not_read_when_the_dataset_is(self, tmp_path: Path) -> None:
        write_transforms(tmp_path)
        write_photos(tmp_path / "images")
        file = tmp_path / "images" / name(0)
        file.write_bytes(file.read_bytes()[:60])
        view = load_dataset(tmp_path).views[0]
        with pytest.raises(UserError, match=name(0)):
            load_photo(view)

    def test_missing_photo(self, tmp_path: Path) -> None:
        view = load_dataset(write_transforms(tmp_path)).views[0]
        with pytest.raises(UserError, match=name(0)) as error:
            load_photo(view)
        assert "images" in error.value.hint

    def test_another_shape_is_refused(self, tmp_path: Path) -> None:
        write_transforms(tmp_path)
        write_photos(tmp_path / "images", (HEIGHT, WIDTH))
        with pytest.raises(UserError, match="48 x 64"):
            load_dataset(tmp_path)

    def test_a_photo_on_its_side_is_turned(self, tmp_path: Path) -> None:
        write_transforms(tmp_path)
        (tmp_path / "images").mkdir()
        upright = Image.new("RGB", (WIDTH, HEIGHT), (255, 0, 0))
        upright.paste((0, 0, 255), (0, 0, WIDTH, HEIGHT // 2))
        exif = Image.Exif()
        exif[0x0112] = 6
        upright.rotate(90, expand=True).save(tmp_path / "images" / name(0), exif=exif)
        view = load_dataset(tmp_path).views[0]
        assert (view.camera.width, view.camera.height) == (WIDTH, HEIGHT)
        assert np.array_equal(load_photo(view), np.asarray(upright))

    def test_grey_and_deep_photos_become_rgb(self, tmp_path: Path) -> None:
        write_transforms(tmp_path)
        (tmp_path / "images").mkdir()
        Image.new("L", (WIDTH, HEIGHT), 77).save(tmp_path / "images" / name(0))
        deep = np.full((HEIGHT, WIDTH), 0x4D00, np.uint16)
        Image.fromarray(deep).save(tmp_path / "images" / name(1))
        for view in load_dataset(tmp_path).views[:2]:
            photo = load_photo(view)
            assert photo.shape == (HEIGHT, WIDTH, 3)
            assert (photo == 77).all()

    def test_only_photos_are_opened(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret.txt"
        secret.write_text("not a photo")
        data = transforms()
        for frame in data["frames"]:
            frame["file_path"] = "../secret.txt"
        write_transforms(tmp_path / "capture", data)
        assert all(view.photo is None for view in load_dataset(tmp_path / "capture").views)


LENSES = [
    ("SIMPLE_RADIAL", (70.0, 32.0, 24.0, -0.15)),
    ("SIMPLE_RADIAL", (70.0, 32.0, 24.0, 0.2)),
    ("RADIAL", (70.0, 31.0, 25.0, -0.1, 0.03)),
    ("OPENCV", (70.0, 72.0, 31.0, 25.0, -0.2, 0.05, 0.004, -0.003)),
    ("FULL_OPENCV", (70.0, 72.0, 31.0, 25.0, -0.2, 0.05, 0.001, 0.002, 0.01, 0, 0, 0)),
    ("OPENCV_FISHEYE", (40.0, 40.0, 32.0, 24.0, 0.05, -0.01, 0.0, 0.0)),
    ("OPENCV_FISHEYE", (18.0, 18.0, 32.0, 24.0, 0.0, 0.0, 0.0, 0.0)),
]


def ramps() -> Image.Image:
    """A photo whose red and green tell the pixel's place."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    return Image.fromarray(np.stack([3.5 * x, 5 * y, 0 * x], axis=-1).astype(np.uint8))


class TestDistortion:
    @pytest.mark.parametrize(("model", "params"), LENSES)
    def test_a_point_is_seen_where_the_pinhole_camera_says(
        self, tmp_path: Path, model: str, params: tuple[float, ...]
    ) -> None:
        write_colmap(tmp_path, model=model, params=params)
        (tmp_path / "images").mkdir()
        ramps().save(tmp_path / "images" / name(0))
        view = load_dataset(tmp_path).views[0]
        assert view.lens == Lens(model, params, WIDTH, HEIGHT)
        camera = view.camera
        assert (camera.width, camera.height) == (WIDTH, HEIGHT)
        photo = load_photo(view).astype(float)
        lens = pycolmap.Camera(model=model, width=WIDTH, height=HEIGHT, params=list(params))
        for row in range(0, HEIGHT, 5):
            for column in range(0, WIDTH, 5):
                ray = np.linalg.inv(camera.K) @ (column + 0.5, row + 0.5, 1)
                x, y = lens.img_from_cam(ray[None])[0]
                assert -0.6 <= x <= WIDTH + 0.6
                assert -0.6 <= y <= HEIGHT + 0.6
                seen = photo[row, column, :2] / (3.5, 5)
                inner = np.clip((x, y), 0.5, (WIDTH - 0.5, HEIGHT - 0.5))
                assert seen == pytest.approx(inner, abs=0.45)

    def test_little_of_a_photo_is_lost(self, tmp_path: Path) -> None:
        write_colmap(tmp_path, model="SIMPLE_RADIAL", params=(70.0, 32.0, 24.0, -0.15))
        K = load_dataset(tmp_path).views[0].camera.K
        lens = pycolmap.Camera(
            model="SIMPLE_RADIAL", width=WIDTH, height=HEIGHT, params=[70.0, 32.0, 24.0, -0.15]
        )
        left, top = (np.linalg.inv(K) @ (*at, 1) for at in ((0, HEIGHT / 2), (WIDTH / 2, 0)))
        assert 0 <= lens.img_from_cam(left[None])[0, 0] < 0.6
        assert lens.img_from_cam(top[None])[0, 1] == pytest.approx(0, abs=0.05)

    def test_transforms_say_the_same_as_colmap(self, tmp_path: Path) -> None:
        k = {"k1": -0.2, "k2": 0.05, "p1": 0.004, "p2": -0.003}
        write_transforms(tmp_path / "a", transforms(camera_model="OPENCV", **k))
        write_colmap(tmp_path / "b", model="OPENCV", params=(FX, FY, CX, CY, *k.values()))
        for here, there in zip(
            load_dataset(tmp_path / "a").views, load_dataset(tmp_path / "b").views, strict=True
        ):
            assert np.allclose(here.camera.K, there.camera.K)

    def test_fisheye_of_transforms(self, tmp_path: Path) -> None:
        write_transforms(tmp_path, transforms(camera_model="OPENCV_FISHEYE", k1=0.1, k4=0.01))
        lens = load_dataset(tmp_path).views[0].lens
        assert lens == Lens("OPENCV_FISHEYE", (FX, FY, CX, CY, 0.1, 0, 0, 0.01), WIDTH, HEIGHT)

    def test_a_smaller_camera_sees_the_same(self, tmp_path: Path) -> None:
        write_colmap(tmp_path, model="SIMPLE_RADIAL", params=(70.0, 32.0, 24.0, -0.15))
        write_photos(tmp_path / "images")
        ramps().save(tmp_path / "images" / name(0))
        view = load_dataset(tmp_path).views[0]
        whole = load_photo(view).astype(float)
        half = load_photo(replace(view, camera=view.camera.scaled(0.5))).astype(float)
        averaged = whole.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3))
        assert np.abs(half - averaged)[1:-1, 1:-1].max() < 4

    def test_a_lens_that_folds_is_refused(self, tmp_path: Path) -> None:
        write_colmap(tmp_path, model="SIMPLE_RADIAL", params=(10.0, 32.0, 24.0, -5.0))
        with pytest.raises(UserError, match="undistort"):
            load_dataset(tmp_path)


def put(frame: int, **values: object) -> Json:
    data = transforms()
    data["frames"][frame].update(values)
    return data


def matrix(row: int, column: int, value: float) -> list[list[float]]:
    result = np.eye(4)
    result[row, column] = value
    return result.tolist()


class TestDamagedTransforms:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({}, "frames"),
            ({"frames": []}, "frames"),
            ({"frames": [3]}, "file_path"),
            ([], "list of cameras"),
            (7, "frames"),
            (put(3, transform_matrix=matrix(0, 3, math.nan)), "NaN"),
            (put(3, transform_matrix=matrix(0, 3, 1e12)), "far away"),
            (put(3, transform_matrix=matrix(0, 0, -1)), "mirrored"),
            (put(3, transform_matrix=matrix(0, 0, 0)), "singular"),
            (put(3, transform_matrix=[[1, 2], [3]]), "transform_matrix"),
            (put(3, transform_matrix="left"), "transform_matrix"),
            (put(3, file_path=None), "file_path"),
            (put(3, transform_matrix=matrix(0, 3, 1e300)), "absurd"),
            (put(3, fl_x=-1), "focal"),
            (put(3, fl_x=math.inf), "infinity"),
            (put(3, fl_x=[1, 2]), "fl_x"),
            (put(3, k1=math.nan), "NaN"),
            (put(3, k4=0.1), "k4"),
            (put(3, w=10**9), "1000000000"),
            (put(3, w=0), "size"),
            (put(3, w="wide"), "numbers"),
            (put(3, w=12_000, h=10_000, fl_x=9e3, fl_y=9e3), "megapixels"),
            (put(3, camera_model="EQUIRECTANGULAR"), "EQUIRECTANGULAR"),
        ],
    )
    def test_each_is_told(self, tmp_path: Path, data: object, message: str) -> None:
        write_transforms(tmp_path, data)
        with pytest.raises(UserError, match=message) as error:
            load_dataset(tmp_path)
        assert "transforms.json" in error.value.message
        assert error.value.hint

    def test_no_focal_length(self, tmp_path: Path) -> None:
        data = transforms()
        del data["fl_x"], data["fl_y"]
        with pytest.raises(UserError, match="focal length"):
            load_dataset(write_transforms(tmp_path, data))

    @pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff\xfe", '{"frames": 1e'])
    def test_not_json(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "transforms.json").write_text(text, encoding="latin-1")
        with pytest.raises(UserError, match="not valid JSON"):
            load_dataset(tmp_path)

    def test_rounded_rotations_are_mended(self, tmp_path: Path) -> None:
        data = transforms()
        for frame in data["frames"]:
            frame["transform_matrix"] = np.round(frame["transform_matrix"], 2).tolist()
        for view in load_dataset(write_transforms(tmp_path, data)).views:
            rotation = view.camera.world_to_camera[:3, :3]
            assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)


class TestDamagedColmap:
    @pytest.mark.parametrize("file", ["cameras", "images", "points3D"])
    @pytest.mark.parametrize("suffix", [".bin", ".txt"])
    def test_any_cut_or_flip_is_told_or_harmless(
        self, tmp_path: Path, file: str, suffix: str
    ) -> None:
        model = write_colmap(tmp_path, suffix == ".bin")
        path = model / f"{file}{suffix}"
        whole = path.read_bytes()
        random = np.random.default_rng(0)
        for trial in range(60):
            damaged = bytearray(whole)
            if trial % 2:
                damaged = damaged[: random.integers(len(damaged))]
            else:
                for at in random.integers(len(damaged), size=4):
                    damaged[at] = random.integers(256)
            path.write_bytes(damaged)
            try:
                dataset = load_dataset(tmp_path)
            except UserError:
                continue
            assert all(np.isfinite(view.camera.world_to_camera).all() for view in dataset.views)

    def test_truncated(self, tmp_path: Path) -> None:
        model = write_colmap(tmp_path)
        for file in ("cameras.bin", "images.bin", "points3D.bin"):
            path = model / file
            whole = path.read_bytes()
            path.write_bytes(whole[:-3])
            with pytest.raises(UserError, match=f"{file} is truncated"):
                load_dataset(tmp_path)
            path.write_bytes(whole)

    def test_counts_are_bounded_before_anything_is_allocated(self, tmp_path: Path) -> None:
        model = write_colmap(tmp_path)
        (model / "images.bin").write_bytes(struct.pack("<Q", 2**60) + bytes(200))
        with pytest.raises(UserError, match="truncated or damaged"):
            load_dataset(tmp_path)

    def test_no_points(self, tmp_path: Path) -> None:
        model = write_colmap(tmp_path)
        (model / "points3D.bin").unlink()
        assert load_dataset(tmp_path).points is None

    def test_spherical_pictures(self, tmp_path: Path) -> None:
        model = write_colmap(tmp_path, binary=False)
        (model / "cameras.txt").write_text(f"1 EQUIRECTANGULAR {WIDTH} {HEIGHT} 64 48\n")
        with pytest.raises(UserError, match="EQUIRECTANGULAR"):
            load_dataset(tmp_path)


class TestDamagedOthers:
    @pytest.mark.parametrize("key", ["position", "rotation", "fx", "width", "img_name"])
    def test_cameras_json_without(self, tmp_path: Path, key: str) -> None:
        file = write_cameras_json(tmp_path)
        entries = json.loads(file.read_text())
        del entries[4][key]
        file.write_text(json.dumps(entries))
        with pytest.raises(UserError, match="camera 4 is incomplete"):
            load_dataset(tmp_path)

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no camera poses"):
            load_dataset(tmp_path)
        with pytest.raises(UserError, match="does not exist"):
            load_dataset(tmp_path / "nowhere")
        (tmp_path / "notes.md").write_text("hello")
        with pytest.raises(UserError, match="no description"):
            load_dataset(tmp_path / "notes.md")

    def test_points_beside_transforms(self, tmp_path: Path) -> None:
        write_transforms(tmp_path, transforms(ply_file_path="cloud.ply"))
        rows = "0 0 1 255 0 0\nnan 0 0 0 0 0\n1 2 3 0 255 0\n"
        header = "ply\nformat ascii 1.0\nelement vertex 3\n"
        header += "".join(f"property float {axis}\n" for axis in "xyz")
        header += "".join(f"property uchar {c}\n" for c in ("red", "green", "blue"))
        (tmp_path / "cloud.ply").write_text(f"{header}end_header\n{rows}")
        dataset = load_dataset(tmp_path)
        assert dataset.points.tolist() == [[0, 0, 1], [1, 2, 3]]
        assert dataset.point_colors.tolist() == [[255, 0, 0], [0, 255, 0]]
        huge = header.replace("vertex 3", "vertex 999999999999")
        (tmp_path / "cloud.ply").write_text(f"{huge}end_header\n{rows}")
        with pytest.raises(UserError, match=r"cloud\.ply"):
            load_dataset(tmp_path)


class TestRealCaptures:
    """With SPLATSCOPE_DATA only."""

    def test_three_formats_agree(self, data_dir: Path) -> None:
        folder = data_dir / "captures" / "snowmiku_495x371"
        files = ("transforms.json", "sparse/0", "cameras.json")
        for views in zip(*(load_dataset(folder / file).views for file in files), strict=True):
            first = views[0]
            assert first.photo is not None
            for view in views[1:]:
                assert view.split == first.split
                assert view.photo == first.photo
                assert view.camera.world_to_camera == pytest.approx(
                    first.camera.world_to_camera, abs=1e-9
                )
                assert np.allclose(view.camera.K, first.camera.K, atol=0.13)

    def test_sparse_points_fall_on_the_undistorted_photos(self, data_dir: Path) -> None:
        dataset = load_dataset(data_dir / "captures" / "sceaux_colmap")
        assert len(dataset.views) == 11
        for view in dataset.views[:2]:
            assert load_photo(view).shape == (532, 708, 3)
            assert view.lens is not None
            local = dataset.points @ view.camera.world_to_camera[:3, :3].T
            local = local + view.camera.world_to_camera[:3, 3]
            local = local[local[:, 2] > 0]
            lens = pycolmap.Camera(
                model=view.lens.model, width=708, height=532, params=list(view.lens.params)
            )
            in_photo = lens.img_from_cam(local)
            kept = ((in_photo > 20) & (in_photo < (688, 512))).all(axis=1)
            pixels = (local @ view.camera.K.T)[kept]
            pixels = pixels[:, :2] / pixels[:, 2:]
            assert ((pixels >= 0) & (pixels <= (708, 532))).all(axis=1).mean() > 0.99

    def test_stated_splits(self, data_dir: Path) -> None:
        fox = load_dataset(data_dir / "captures" / "fox_270x480_pinhole")
        assert (len(fox.train), len(fox.test)) == (58, 9)
        chair = load_dataset(data_dir / "captures" / "chair_400_with_trained_splat")
        assert (len(chair.train), len(chair.test)) == (100, 25)
        assert load_photo(chair.train[0]).shape == (400, 400, 4)
        assert chair.up == pytest.approx((0, 0, 1), abs=0.1)
        assert {view.split for view in chair.views} == set(Split)


def test_a_view_made_by_hand_loads_its_photo(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (9, 8, 7)).save(tmp_path / "a.png")
    K = [[10.0, 0, 5], [0, 10, 2.5], [0, 0, 1]]
    photo = load_photo(View(Camera(np.eye(4), K, 10, 5, "a"), tmp_path / "a.png"))
    assert photo.shape == (5, 10, 3)
    assert (photo == (9, 8, 7)).all()
