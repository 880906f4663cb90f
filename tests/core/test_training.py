"""Losses, targets and refining on a scene of a few hundred Gaussians."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from core.cameras import View
from core.datasets import load_dataset
from core.errors import UserError
from core.formats import load_scene
from core.jobs import Progress, drain
from core.metrics import psnr, ssim_map
from core.rendering import render
from core.rendering.cpu.common import set_num_threads, workers
from core.scene import GaussianScene
from core.training import (
    RANDOM,
    LearningRates,
    PhotoTargets,
    RefineSettings,
    SelfTargets,
    Sparsify,
    fitting,
    picture_loss,
    refine,
)
from core.training.parameters import Parameters
from core.training.targets import extent_of, shuffled
from tests.blobs import blob_scene
from tests.core.training_stage import (
    cameras_around,
    disturbed,
    likeness,
    photographed,
    same_bits,
    wanted_scene,
)


def pictures(height: int = 31, width: int = 26) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    a = torch.rand(height, width, 3, generator=generator)
    return a, (a + 0.2 * torch.randn(a.shape, generator=generator)).clamp(0, 1)


def direct_loss(a: Tensor, b: Tensor, weight: float) -> Tensor:
    return (1 - weight) * (a - b).abs().mean() + weight * (1 - ssim_map(a, b).mean())


@pytest.fixture
def targets(tmp_path: Path) -> PhotoTargets:
    return PhotoTargets(photographed(wanted_scene(), cameras_around(6), tmp_path))


class TestLoss:
    @pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
    @pytest.mark.parametrize("shape", [(31, 26), (11, 11), (1, 5)])
    def test_value_and_gradient_are_those_of_the_formula(
        self, weight: float, shape: tuple[int, int]
    ) -> None:
        a, b = pictures(*shape)
        fast, exact = a.clone().requires_grad_(), a.double().requires_grad_()
        loss = picture_loss(fast, b, weight)
        loss.backward()
        expected = direct_loss(exact, b.double(), weight)
        expected.backward()
        assert float(loss.detach()) == pytest.approx(float(expected.detach()), abs=1e-6)
        assert (fast.grad - exact.grad).abs().max() < 1e-4 * exact.grad.abs().max()

    def test_the_gradient_is_the_rise_along_a_direction(self) -> None:
        a, b = pictures()
        a = a.double().requires_grad_()
        picture_loss(a, b.double(), 0.2).backward()
        step = 1e-6 * torch.randn(a.shape, generator=torch.Generator().manual_seed(1)).double()
        with torch.no_grad():
            rise = picture_loss(a + step, b.double(), 0.2) - picture_loss(a - step, b.double(), 0.2)
        assert float(rise) / 2 == pytest.approx(float((a.grad * step).sum()), rel=1e-4)

    def test_equal_pictures_lose_nothing(self) -> None:
        a, _ = pictures()
        assert float(picture_loss(a, a.clone())) == pytest.approx(0, abs=1e-6)

    def test_a_mask_leaves_out_the_rest(self) -> None:
        a, b = pictures()
        mask = torch.zeros(31, 26, dtype=torch.bool)
        mask[4:22, 5:20] = True
        picture = a.clone().requires_grad_()
        loss = picture_loss(picture, b, mask=mask)
        loss.backward()
        assert (picture.grad[~mask] == 0).all()
        assert (picture.grad[mask] != 0).any()
        spoiled = torch.where(mask[..., None], a, 7.0)
        assert float(loss.detach()) == pytest.approx(float(picture_loss(spoiled, b, mask=mask)))
        everywhere = torch.ones_like(mask)
        whole = float(picture_loss(a, b))
        assert float(picture_loss(a, b, mask=everywhere)) == pytest.approx(whole, abs=1e-6)

    def test_the_same_bits_with_any_number_of_threads(self) -> None:
        a, b = pictures(100, 60)
        before = workers().count
        gradients = []
        for count in (1, 3):
            set_num_threads(count)
            picture = a.clone().requires_grad_()
            loss = picture_loss(picture, b)
            loss.backward()
            gradients.append((float(loss.detach()), picture.grad))
        set_num_threads(before)
        assert gradients[0][0] == gradients[1][0]
        assert torch.equal(gradients[0][1], gradients[1][1])

    def test_pictures_of_other_shapes_are_refused(self) -> None:
        a, b = pictures()
        with pytest.raises(ValueError, match="same shape"):
            picture_loss(a, b[1:])


class TestPhotoTargets:
    def test_every_epoch_shows_each_photo_once_in_another_order(
        self, targets: PhotoTargets
    ) -> None:
        orders = [
            [targets.example(step, 5).camera.name for step in range(first, first + 6)]
            for first in (0, 6, 12)
        ]
        names = sorted(camera.name for camera in targets.cameras)
        assert all(sorted(order) == names for order in orders)
        assert len({tuple(order) for order in orders}) > 1
        assert [shuffled(step, 6, 5) for step in range(6)] != [
            shuffled(step, 6, 6) for step in range(6)
        ]

    def test_examples_depend_on_step_and_seed_alone(
        self, targets: PhotoTargets, tmp_path: Path
    ) -> None:
        forward = [targets.example(step, 0) for step in range(9)]
        streamed = PhotoTargets(
            [View(c, tmp_path / f"{c.name}.png") for c in targets.cameras], max_bytes=0
        )
        for step in reversed(range(9)):
            again = streamed.example(step, 0)
            assert again.camera.name == forward[step].camera.name
            assert torch.equal(again.picture, forward[step].picture)

    def test_photos_beyond_the_budget_are_read_each_time(self, tmp_path: Path) -> None:
        views = photographed(wanted_scene(20), cameras_around(3), tmp_path)
        one_photo = 48 * 40 * 3
        targets = PhotoTargets(views, max_bytes=2 * one_photo)
        for step in range(3):
            targets.example(step, 0)
        for view in views:
            assert view.photo is not None
            view.photo.unlink()
        kept = {targets.example(step, 0).camera.name for step in range(2)}
        assert len(kept) == 2
        with pytest.raises(UserError, match="cannot be read"):
            targets.example(2, 0)

    def test_transparent_photos_lie_on_the_background(self, tmp_path: Path) -> None:
        camera = cameras_around(1)[0]
        pixels = np.zeros((40, 48, 4), np.uint8)
        pixels[:, :24] = (255, 0, 0, 255)
        pixels[:, 24:] = (0, 255, 0, 51)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        targets = PhotoTargets([View(camera, tmp_path / "a.png")], background=(0.0, 0.5, 1.0))
        picture = targets.example(0, 0).picture
        assert picture.shape == (40, 48, 3)
        assert picture[0, 0].tolist() == [1, 0, 0]
        assert picture[0, -1].tolist() == pytest.approx([0, 0.2 + 0.8 * 0.5, 0.8], abs=0.5 / 255)
        other = PhotoTargets([View(camera, tmp_path / "a.png")], (1.0, 1.0, 1.0)).example(0, 0)
        assert other.background == (1, 1, 1)
        assert other.picture[0, -1].tolist() == pytest.approx([0.8, 1, 0.8])

    def test_the_background_changes_for_transparent_photos(self, tmp_path: Path) -> None:
        views = photographed(wanted_scene(20), cameras_around(2), tmp_path)
        assert PhotoTargets(views).background == (0, 0, 0)
        pixels = np.zeros((40, 48, 4), np.uint8)
        Image.fromarray(pixels).save(views[1].photo)
        targets = PhotoTargets(views)
        assert targets.background == RANDOM
        assert PhotoTargets(views, (0, 0, 0)).background == (0, 0, 0)
        examples = [targets.example(step, 0) for step in range(6)]
        assert len({example.background for example in examples}) == 6
        clear = next(each for each in examples if each.camera.name == views[1].name)
        assert clear.picture[0, 0].tolist() == pytest.approx(clear.background, abs=0.5 / 255)
        again = PhotoTargets(views).example(3, 0)
        assert again.background == examples[3].background
        assert targets.example(3, 1).background != again.background
        assert targets.identity != PhotoTargets(views, (0, 0, 0)).identity

    def test_a_scene_fitted_on_changing_backgrounds_has_no_haze(self, tmp_path: Path) -> None:
        """On black alone, dark Gaussians before transparent ground cost nothing."""
        camera = cameras_around(1)[0]
        pixels = np.zeros((40, 48, 4), np.uint8)
        pixels[10:30, 14:34] = (255, 128, 0, 255)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        views = [View(camera, tmp_path / "a.png")]
        dark = wanted_scene(80)
        dark = replace(dark, sh=torch.full_like(dark.sh, -1.0))
        haze = []
        for background in (None, (0.0, 0.0, 0.0)):
            result = drain(refine(dark, PhotoTargets(views, background), RefineSettings(steps=80)))
            drawn = render(result, camera, background=(1.0, 1.0, 1.0)).rgb
            haze.append(float(1 - drawn[:8].mean()))
        assert haze[0] < 0.5 * haze[1]

    def test_a_smaller_camera_takes_a_smaller_photo(self, tmp_path: Path) -> None:
        (view,) = photographed(wanted_scene(20), cameras_around(1), tmp_path)
        half = replace(view, camera=view.camera.scaled(0.5))
        assert PhotoTargets([half]).example(0, 0).picture.shape == (20, 24, 3)

    def test_what_cannot_be_fitted_to_is_refused_at_once(self, tmp_path: Path) -> None:
        (view,) = photographed(wanted_scene(20), cameras_around(1), tmp_path)
        with pytest.raises(UserError, match="no photos"):
            PhotoTargets([])
        with pytest.raises(UserError, match="no photo for view view_00"):
            PhotoTargets([replace(view, photo=None)])
        with pytest.raises(UserError, match="no photo for view view_00"):
            PhotoTargets([replace(view, photo=tmp_path / "gone.png")])
        with pytest.raises(UserError, match="10 x 8 pixels"):
            PhotoTargets([replace(view, camera=view.camera.resized(10, 8))])

    def test_identities_tell_targets_apart(self, tmp_path: Path) -> None:
        views = photographed(wanted_scene(20), cameras_around(2), tmp_path)
        same = PhotoTargets(views).identity
        assert PhotoTargets(views).identity == same
        assert PhotoTargets(views[:1]).identity != same
        assert PhotoTargets(views, background=(1, 1, 1)).identity != same


class TestSelfTargets:
    def test_straight_pictures_are_the_scenes_own(self) -> None:
        scene, cameras = wanted_scene(50), cameras_around(4)
        targets = SelfTargets(scene, cameras, background=(0.2, 0.3, 0.4), straight=1.0)
        for step in range(4):
            example = targets.example(step, 0)
            assert any(example.camera.same_as(camera) for camera in cameras)
            drawn = render(scene, example.camera, background=(0.2, 0.3, 0.4)).rgb
            assert torch.equal(example.picture, drawn.clamp(0, 1))

    def test_the_rest_strays_a_little_and_reproducibly(self) -> None:
        scene, cameras = wanted_scene(50), cameras_around(8)
        targets = SelfTargets(scene, cameras, straight=0.5)
        examples = [targets.example(step, 3) for step in range(64)]
        strayed = 0
        for example in examples:
            camera = next(c for c in cameras if c.name == example.camera.name)
            distance = float(np.linalg.norm(example.camera.position - camera.position))
            strayed += distance > 0
            assert distance < 2
            assert float(example.camera.forward @ camera.forward) > 0.9
        assert 16 < strayed < 48
        again = targets.example(17, 3)
        assert again.camera.same_as(examples[17].camera)
        assert torch.equal(again.picture, examples[17].picture)

    def test_one_camera_is_enough(self) -> None:
        targets = SelfTargets(wanted_scene(20), cameras_around(1), straight=0.0)
        moved = targets.example(0, 0).camera
        assert 0 < np.linalg.norm(moved.position - cameras_around(1)[0].position) < 1

    def test_nothing_to_look_at_is_refused(self) -> None:
        scene = wanted_scene(10)
        with pytest.raises(UserError, match="no cameras"):
            SelfTargets(scene, [])
        with pytest.raises(UserError, match="empty"):
            SelfTargets(scene.select(torch.zeros(10, dtype=torch.bool)), cameras_around(2))
        with pytest.raises(UserError, match="at least 11 x 11"):
            SelfTargets(scene, cameras_around(2, size=(10, 30)))

    def test_refining_to_itself_helps_views_that_nothing_was_fitted_to(self) -> None:
        whole = wanted_scene(300)
        kept = whole.select(torch.arange(0, 300, 2))
        held_out = cameras_around(5, turn=0.4)
        targets = SelfTargets(whole, cameras_around(10))
        result = drain(refine(kept, targets, RefineSettings(steps=150)))
        assert likeness(result, whole, held_out) > likeness(kept, whole, held_out) + 2


class TestRefine:
    def test_the_loss_falls_and_the_scene_keeps_its_kind(self, targets: PhotoTargets) -> None:
        scene = disturbed(wanted_scene())
        columns = {"confidence": torch.arange(300).float()}
        reports: list[Progress] = []
        start = scene.with_columns(columns)
        result = drain(refine(start, targets, RefineSettings(steps=90)), reports.append)
        losses = [report.values["loss"] for report in reports]
        assert len(losses) == 90
        assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])
        assert [report.done for report in reports] == list(range(1, 91))
        assert {report.values["count"] for report in reports} == {300.0}
        assert len(result) == 300
        assert result.sh_degree == 1
        assert torch.equal(result.columns["confidence"], columns["confidence"])
        assert not any(tensor.requires_grad for tensor in result.tensors().values())
        held_out = cameras_around(5, turn=0.4)
        wanted = wanted_scene()
        assert likeness(result, wanted, held_out) > likeness(scene, wanted, held_out) + 3
        assert same_bits(start, disturbed(wanted_scene()))

    def test_the_same_run_gives_the_same_bits(self, targets: PhotoTargets) -> None:
        scene = disturbed(wanted_scene())
        settings = RefineSettings(steps=12)
        first = drain(refine(scene, targets, settings))
        before = workers().count
        set_num_threads(before + 1)
        assert same_bits(first, drain(refine(scene, targets, settings)))
        set_num_threads(before)
        other = drain(refine(scene, targets, replace(settings, seed=1)))
        assert not same_bits(first, other)

    def test_opacity_compensation_stays(self, targets: PhotoTargets) -> None:
        scene = replace(wanted_scene(), antialiased=True)
        assert drain(refine(scene, targets, RefineSettings(steps=2))).antialiased

    def test_partial_results_are_scenes_of_their_own(
        self, targets: PhotoTargets, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fitting, "PARTIAL_S", 0.0)
        monkeypatch.setattr(fitting, "PARTIAL_SHARE", 1e9)
        steps = refine(disturbed(wanted_scene()), targets, RefineSettings(steps=8))
        partials = []
        for progress in steps:
            if progress.partial is not None:
                partials.append((progress.partial, progress.partial.sh.clone()))
        assert len(partials) == 7
        assert all(isinstance(scene, GaussianScene) for scene, _ in partials)
        assert all(torch.equal(scene.sh, copy) for scene, copy in partials)
        assert not torch.equal(partials[0][1], partials[-1][1])

    def test_invisible_gaussians_stay_where_they_are(self, targets: PhotoTargets) -> None:
        scene = wanted_scene()
        hidden = replace(scene, means=scene.means.clone())
        hidden.means[7] = torch.tensor([0.0, 900.0, 0.0])
        result = drain(refine(hidden, targets, RefineSettings(steps=5)))
        for name, tensor in result.tensors().items():
            assert torch.equal(tensor[7], hidden.tensors()[name][7])

    def test_base_and_higher_colours_move_at_their_own_rates(self) -> None:
        parameters = Parameters(blob_scene(4, sh_degree=2))
        before = parameters.snapshot()
        for tensor in parameters.tensors.values():
            tensor.grad = torch.ones_like(tensor)
        rates = LearningRates().at(0.0, extent=2.0)
        parameters.update(rates)
        after = parameters.snapshot()
        moved = {
            "means": 3.2e-4,
            "log_scales": 5e-3,
            "quats": 1e-3,
            "opacity_logits": 5e-2,
        }
        for name, step in moved.items():
            change = before.tensors()[name] - after.tensors()[name]
            assert torch.allclose(change, torch.tensor(step), rtol=1e-3)
        change = before.sh - after.sh
        assert torch.allclose(change[:, 0], torch.tensor(2.5e-3), rtol=1e-2)
        assert torch.allclose(change[:, 1:], torch.tensor(1.25e-4), rtol=1e-2)

    def test_rates_fall_from_first_to_last(self) -> None:
        rates = LearningRates(means=1e-4, means_end=1e-6, end=0.25)
        assert rates.at(0, 3)["means"] == pytest.approx(3e-4)
        assert rates.at(0.5, 3)["means"] == pytest.approx(3e-5)
        assert rates.at(1, 3)["means"] == pytest.approx(3e-6)
        assert rates.at(0.5, 3)["quats"] == pytest.approx(5e-4)
        with pytest.raises(UserError, match="quats"):
            LearningRates(quats=0.0)

    def test_the_extent_is_that_of_the_cameras(self) -> None:
        assert extent_of(cameras_around(4)) == pytest.approx(1.1 * 3)
        assert extent_of(cameras_around(1)) == 1
        assert extent_of(cameras_around(1), otherwise=7.0) == 7

    def test_sparsifying_empties_all_but_the_wanted_number(self, targets: PhotoTargets) -> None:
        scene = wanted_scene()
        rates = LearningRates(opacity_logits=0.2)
        free = RefineSettings(steps=60, rates=rates)
        sparse = replace(free, sparsify=Sparsify(target=100, rho=0.1, interval=10))
        by_opacity = [
            drain(refine(scene, targets, settings)).opacities().sort().values[:200].sum()
            for settings in (free, sparse)
        ]
        assert by_opacity[1] < 0.3 * by_opacity[0]
        with pytest.raises(UserError, match="target"):
            Sparsify(target=0)


class TestRefusals:
    @pytest.mark.parametrize("steps", [0, -3, 10**9])
    def test_impossible_numbers_of_steps(self, steps: int) -> None:
        with pytest.raises(UserError, match="steps cannot be made"):
            RefineSettings(steps=steps)

    def test_other_settings(self) -> None:
        with pytest.raises(UserError, match="seed"):
            RefineSettings(seed=-1)
        with pytest.raises(UserError, match="SSIM"):
            RefineSettings(ssim_weight=1.5)

    def test_an_empty_scene(self, targets: PhotoTargets) -> None:
        empty = wanted_scene(3).select(torch.zeros(3, dtype=torch.bool))
        with pytest.raises(UserError, match="empty"):
            next(refine(empty, targets))

    def test_photos_that_vanish_half_way(self, tmp_path: Path) -> None:
        views = photographed(wanted_scene(50), cameras_around(3), tmp_path)
        steps = refine(wanted_scene(50), PhotoTargets(views, max_bytes=0))
        next(steps)
        for view in views:
            assert view.photo is not None
            view.photo.unlink()
        with pytest.raises(UserError, match="cannot be read"):
            next(steps)

    def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_result(
        self, targets: PhotoTargets, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fitting, "PARTIAL_S", 0.0)
        monkeypatch.setattr(fitting, "PARTIAL_SHARE", 1e9)

        def poisoned(step: int, seed: int) -> object:
            example = example_of(step, seed)
            return replace(example, picture=example.picture * float("nan" if step == 3 else 1))

        example_of = targets.example
        monkeypatch.setattr(targets, "example", poisoned)
        partials = []
        with pytest.raises(UserError, match="no number any more at step 4"):
            drain(
                refine(wanted_scene(), targets, RefineSettings(steps=9)),
                lambda progress: partials.append(progress.partial),
            )
        assert len(partials) == 3
        assert all(tensor.isfinite().all() for tensor in partials[-1].tensors().values())


def test_a_real_capture_gains_from_refining_a_cut(data_dir: Path) -> None:
    folder = data_dir / "captures" / "snowmiku_495x371"
    dataset = load_dataset(folder)
    scene = load_scene(folder / "trained" / "scene_105k_sh3.ply").scene
    small = [replace(view, camera=view.camera.scaled(0.25)) for view in dataset.views]
    train = [view for view in small if view.split == "train"]
    kept = scene.select(scene.opacity_logits.argsort(descending=True)[:40_000])
    result = drain(refine(kept, PhotoTargets(train), RefineSettings(steps=60)))
    held_out = PhotoTargets([view for view in small if view.split == "test"])

    def quality(some: GaussianScene) -> float:
        examples = [held_out.example(step, 0) for step in range(13)]
        return float(np.mean([psnr(render(some, e.camera).rgb, e.picture) for e in examples]))

    assert quality(result) > quality(kept) + 1
