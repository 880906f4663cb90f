"""Training a small scene from points, or from nothing but photos."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.cameras import Camera, View
from core.datasets import load_dataset
from core.datasets.dataset import PointCloud
from core.errors import UserError
from core.jobs import Progress, Steps, drain
from core.metrics import psnr
from core.rendering import render
from core.scene import GaussianScene
from core.training import Growth, PhotoTargets, TrainSettings, fitting, train
from core.training.densification import Densification
from core.training.initial import initial_scene, scattered
from core.training.parameters import Parameters
from tests.blobs import blob_scene
from tests.core.training_stage import (
    cameras_around,
    likeness,
    photographed,
    same_bits,
    wanted_scene,
)

QUICK = TrainSettings(
    steps=60,
    sh_degree=1,
    max_count=2000,
    growth=Growth(start=0.1, stop=0.7, every=10, gradient=2e-3),
)


@pytest.fixture
def views(tmp_path: Path) -> list[View]:
    return photographed(wanted_scene(), cameras_around(8), tmp_path)


@pytest.fixture
def every_partial(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partial result after every step."""
    monkeypatch.setattr(fitting, "PARTIAL_S", 0.0)
    monkeypatch.setattr(fitting, "PARTIAL_SHARE", 1e9)


def partials(run: Steps[GaussianScene], count: int) -> list[GaussianScene]:
    """The scene after each of the first steps."""
    scenes = [next(run).partial for _ in range(count)]
    run.close()
    return scenes


def some_points(count: int = 60) -> PointCloud:
    """Places and colours of some of what the photos show."""
    scene = wanted_scene()
    colors = (scene.base_colors()[:count] * 255).to(torch.uint8)
    return PointCloud(scene.means[:count].numpy(), colors.numpy())


class TestTrain:
    def test_it_fits_and_grows(self, views: list[View]) -> None:
        reports: list[Progress] = []
        settings = replace(QUICK, steps=200)
        result = drain(train(views, some_points(), settings), reports.append)
        counts = [report.values["count"] for report in reports]
        losses = [report.values["loss"] for report in reports]
        assert counts[0] == 60
        assert counts[-1] == len(result) > 120
        assert counts[140:] == [counts[-1]] * 60
        assert np.mean(losses[-8:]) < 0.6 * np.mean(losses[:8])
        assert result.sh_degree == 1
        start = initial_scene(some_points(), [v.camera for v in views], 1, 1000, 0)
        held_out = cameras_around(5, turn=0.4)
        wanted = wanted_scene()
        assert likeness(result, wanted, held_out) > likeness(start, wanted, held_out) + 4

    def test_the_count_stays_within_bounds(self, views: list[View]) -> None:
        reports: list[Progress] = []
        settings = replace(QUICK, max_count=75)
        result = drain(train(views, some_points(), settings), reports.append)
        assert max(report.values["count"] for report in reports) == 75
        assert len(result) <= 75

    def test_without_points_random_ones_do(self, views: list[View]) -> None:
        result = drain(train(views, None, replace(QUICK, max_count=400, steps=30)))
        assert 0 < len(result) <= 400
        assert all(tensor.isfinite().all() for tensor in result.tensors().values())

    @pytest.mark.usefixtures("every_partial")
    def test_colours_take_their_degrees_one_after_the_other(self, views: list[View]) -> None:
        settings = replace(QUICK, sh_degree=2, growth=Growth(start=1.0, stop=1.0), degree_every=0.3)
        used = [
            [bool((partial.sh[:, first:last] != 0).any()) for first, last in ((1, 4), (4, 9))]
            for partial in partials(train(views, some_points(), settings), 40)
        ]
        assert used[17] == [False, False]
        assert used[18] == used[35] == [True, False]
        assert used[36] == [True, True]

    def test_smaller_pictures_and_penalties(self, views: list[View]) -> None:
        settings = replace(QUICK, scale=0.5, steps=20)
        plain = drain(train(views, some_points(), settings))
        bound = drain(train(views, some_points(), replace(settings, opacity_penalty=5.0)))
        assert bound.opacities().mean() < plain.opacities().mean()
        small = drain(train(views, some_points(), replace(settings, scale_penalty=50.0)))
        assert small.log_scales.mean() < plain.log_scales.mean()

    def test_the_same_run_gives_the_same_bits(self, views: list[View]) -> None:
        first = drain(train(views, some_points(), QUICK))
        torch.manual_seed(99)
        assert same_bits(first, drain(train(views, some_points(), QUICK)))

    @pytest.mark.parametrize("stops", [(3,), (10, 25, 26, 41)])
    def test_a_resumed_run_gives_the_same_bits(
        self, views: list[View], tmp_path: Path, stops: Sequence[int]
    ) -> None:
        whole = drain(train(views, some_points(), QUICK))
        file = tmp_path / "run.safetensors"
        done = 0
        for stop in stops:
            steps = train(views, some_points(), QUICK, checkpoint=file)
            while done < stop:
                done = next(steps).done
            steps.close()
        reports: list[Progress] = []
        resumed = drain(train(views, some_points(), QUICK, checkpoint=file), reports.append)
        assert reports[0].done == stops[-1] + 1
        assert len(whole) > 60
        assert same_bits(whole, resumed)

    def test_what_cannot_be_trained_is_refused(self, views: list[View]) -> None:
        with pytest.raises(UserError, match="no photos"):
            next(train([]))
        with pytest.raises(UserError, match="at least 11 x 11"):
            next(train(views, settings=replace(QUICK, scale=0.1)))
        for wrong in (
            {"steps": 0},
            {"sh_degree": 4},
            {"max_count": 0},
            {"scale": 0.0},
            {"opacity_penalty": -1.0},
        ):
            with pytest.raises(UserError):
                replace(QUICK, **wrong)
        for wrong in ({"start": 0.7, "stop": 0.6}, {"every": 0}, {"gradient": 0.0}):
            with pytest.raises(UserError):
                Growth(**wrong)


class TestInitialScene:
    def test_a_gaussian_at_every_point_with_its_colour_and_size(self) -> None:
        line = np.array([[0, 0, 0], [1, 0, 0], [3, 0, 0], [6, 0, 0]], np.float32)
        colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [51, 102, 153]], np.uint8)
        scene = initial_scene(PointCloud(line, colors), cameras_around(4), 3, 100, 0)
        assert torch.equal(scene.means, torch.from_numpy(line))
        assert scene.base_colors()[3].tolist() == pytest.approx([0.2, 0.4, 0.6], abs=1e-6)
        assert (scene.sh[:, 1:] == 0).all()
        assert scene.opacities().tolist() == pytest.approx([0.1] * 4)
        sizes = scene.log_scales.exp()
        assert sizes[:, 0].tolist() == pytest.approx([0.33] * 4)  # a tenth of the extent, 3.3

    def test_more_points_than_allowed_are_thinned_out(self) -> None:
        scene = initial_scene(some_points(60), cameras_around(4), 0, 20, 0)
        assert len(scene) == 20
        again = initial_scene(some_points(60), cameras_around(4), 0, 20, 0)
        assert same_bits(scene, again)

    @pytest.mark.parametrize("kind", ["around", "parallel", "one"])
    def test_scattered_points_lie_in_the_pictures(self, kind: str) -> None:
        cameras: Sequence[Camera] = cameras_around(5)
        if kind == "one":
            cameras = cameras[:1]
        if kind == "parallel":
            shifts = [np.eye(4) for _ in range(5)]
            for i, shift in enumerate(shifts):
                shift[0, 3] = 0.3 * i
            cameras = [
                replace(cameras[0], world_to_camera=shift @ cameras[0].world_to_camera)
                for shift in shifts
            ]
        points = scattered(cameras, 200, np.random.default_rng(0))
        seen = np.zeros(200, bool)
        for camera in cameras:
            local = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
            pixels = local @ camera.K.T
            place = pixels[:, :2] / pixels[:, 2:]
            inside = (place > -1e-3) & (place < np.array([camera.width, camera.height]) + 1e-3)
            seen |= inside.all(axis=1) & (local[:, 2] > 0)
        assert seen.all()


class TestDensification:
    def grown(
        self, gradient: torch.Tensor, max_count: int = 100
    ) -> tuple[GaussianScene, Parameters]:
        """A blob of ten after one change; scales of the second five are large."""
        scene = blob_scene(10)
        scene.log_scales[:] = -6.0
        scene.log_scales[5:] = 0.0
        scene.opacity_logits[:] = 1.0
        scene.opacity_logits[9] = -8.0
        parameters = Parameters(scene)
        for tensor in parameters.tensors.values():
            tensor.grad = torch.ones_like(tensor)
        parameters.update(
            dict.fromkeys(
                ("means", "log_scales", "quats", "opacity_logits", "sh_base", "sh_rest"), 1e-9
            )
        )
        growth = Growth(start=0.0, stop=1.0, every=1, gradient=1.0)
        change = Densification(growth, 10, 0, max_count, 1.0)
        camera = cameras_around(1)[0]
        change.after(parameters, 0, camera, gradient / (camera.width / 2))
        return parameters.snapshot(), parameters

    def test_small_ones_are_doubled_large_ones_split_faint_ones_removed(self) -> None:
        gradient = torch.zeros(10, 2)
        gradient[[1, 6], 0] = 3.0
        before = blob_scene(10)
        scene, parameters = self.grown(gradient)
        assert len(scene) == 10 + 2 - 1
        assert (scene.means == before.means[1]).all(dim=1).sum() == 2
        assert (scene.means == before.means[6]).all(dim=1).sum() == 0
        halves = scene.log_scales[:, 0].sub(-float(np.log(1.6))).abs() < 1e-5
        assert halves.sum() == 2
        assert scene.opacities().min() > 0.005
        for name, tensor in parameters.tensors.items():
            moments = parameters.optimizers[name].state[tensor]
            assert moments["exp_avg"].shape == tensor.shape
        new = parameters.optimizers["means"].state[parameters.tensors["means"]]["exp_avg"]
        assert ((new == 0).all(dim=1)).sum() == 3

    def test_the_largest_gradients_go_first_where_room_is_short(self) -> None:
        gradient = torch.zeros(10, 2)
        gradient[:5, 1] = torch.tensor([2.0, 5.0, 3.0, 4.0, 6.0])
        before = blob_scene(10)
        scene, _ = self.grown(gradient, max_count=12)
        doubled = [(scene.means == mean).all(dim=1).sum() == 2 for mean in before.means[:5]]
        assert doubled == [False, True, False, False, True]
        scene, _ = self.grown(gradient, max_count=10)
        assert len(scene) == 9

    @pytest.mark.usefixtures("every_partial")
    def test_opacities_are_reset_where_asked(self, views: list[View]) -> None:
        settings = replace(QUICK, growth=Growth(start=0.0, stop=1.0, every=1000, reset_every=7))
        scenes = partials(train(views, some_points(), settings), 8)
        assert scenes[5].opacities().max() > 0.05
        assert float(scenes[6].opacities().max()) == pytest.approx(0.01, rel=1e-3)


def test_a_real_capture_trains(data_dir: Path) -> None:
    dataset = load_dataset(data_dir / "captures" / "fox_270x480_pinhole")
    points = PointCloud(dataset.points, dataset.point_colors)
    settings = TrainSettings(steps=150, scale=0.5)
    result = drain(train(dataset.train, points, settings))
    small = [replace(view, camera=view.camera.scaled(0.5)) for view in dataset.test]
    held_out = PhotoTargets(small)
    examples = [held_out.example(step, 0) for step in range(len(small))]
    quality = [psnr(render(result, e.camera).rgb, e.picture) for e in examples]
    assert np.mean(quality) > 18
