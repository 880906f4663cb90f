"""What the session runs as jobs: generators that know nothing of the window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from core.cameras import View
from core.datasets import Dataset, load_dataset
from core.datasets.dataset import PointCloud
from core.errors import UserError
from core.formats import Loaded, find_scene, load_steps, save_scene, scene_bytes
from core.gmae.images import ImageSource
from core.jobs import Progress, Steps, retold
from core.metrics import Lpips
from core.metrics.lpips_weights import find_weights, load_lpips, missing_text
from core.rendering.device import preferred_device
from core.scene import GaussianScene
from core.scoring import SCORES, Worth, score
from core.scoring.cameras import scoring_cameras
from core.training import TrainSettings
from core.training.initial import initial_scene

READING = 100
"""Parts of opening a scene that reading its file stands for, of four times as many."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a file yields, with the scores that need no views."""

    path: Path | None
    """None where the scene is of the points that photos came with, and nothing is trained yet."""
    loaded: Loaded
    dataset: Dataset | None
    scores: dict[str, Worth]
    problem: UserError | None
    """Why the cameras that were asked for could not be read."""
    views: tuple[View, ...] = ()
    """Cameras where there is no dataset."""
    image: ImageSource | None = None
    """The image that the scene was made of, if that is one."""

    @property
    def all_views(self) -> tuple[View, ...]:
        """The dataset's, or else the cameras that the scene came with."""
        if self.dataset is not None:
            return self.dataset.views
        camera = self.loaded.scene.camera
        return self.views or (() if camera is None else (View(camera),))


def open_steps(path: Path, data: Path | None) -> Steps[Opened]:
    """Read a scene, and a dataset's views if given.

    Partial results are :class:`Opened`, too: what is decoded so far of a file that takes long.
    """
    yield Progress(0, 4 * READING, "looking for a GPU; the first time its kernels are built")
    device = preferred_device()

    def told(progress: Progress) -> Progress:
        part = progress.partial
        if part is not None:
            part = Opened(path, replace(part, scene=part.scene.to(device)), None, {}, None)
        done = READING + round(READING * progress.fraction)
        return Progress(done, 4 * READING, progress.message, partial=part)

    loaded = yield from retold(load_steps(path), told)
    loaded = replace(loaded, scene=loaded.scene.to(device))
    yield Progress(2 * READING, 4 * READING, "reading cameras" if data else "")
    dataset, problem = None, None
    try:
        dataset = load_dataset(data) if data else None
    except UserError as error:
        problem = error
    yield Progress(3 * READING, 4 * READING, "scoring")
    scores = yield from ready_scores(loaded.scene)
    return Opened(path, loaded, dataset, scores, problem)


def ready_scores(scene: GaussianScene) -> Steps[dict[str, Worth]]:
    """Compute the scores that need no views."""
    names = [name for name, entry in SCORES.items() if not entry.needs]
    scores: dict[str, Worth] = yield from score(scene, (), names)
    for worth in scores.values():
        _sort(worth)
    return scores


def dataset_steps(path: Path) -> Steps[tuple[Dataset, Path | None]]:
    """Read a dataset's views; and find the scene that lies in its folder, if there is one."""
    yield Progress(0, 2, f"reading {path.name}")
    dataset = load_dataset(path)
    yield Progress(1, 2, "")
    try:
        return dataset, find_scene(path) if path.is_dir() else None
    except UserError:
        return dataset, None


def photos_steps(path: Path) -> Steps[Opened]:
    """Read posed photos; the scene is what training begins with: faint Gaussians at the points.

    Raises
    ------
    UserError
        If they cannot be read, or there are no photos to train from.
    """
    yield Progress(0, 4, "looking for a GPU; the first time its kernels are built")
    device = preferred_device()
    yield Progress(1, 4, f"reading {path.name}")
    dataset = load_dataset(path)
    cameras = [view.camera for view in dataset.train if view.photo is not None]
    if not cameras:
        raise UserError(
            f"There are no photos to train from in {path}.",
            "Put the photos beside the cameras (folder images).",
        )
    yield Progress(2, 4, "placing points")
    cloud = None if dataset.points is None else PointCloud(dataset.points, dataset.point_colors)
    settings = TrainSettings()
    scene = initial_scene(cloud, cameras, settings.sh_degree, settings.max_count, settings.seed).to(
        device
    )
    yield Progress(3, 4, "scoring")
    scores = yield from ready_scores(scene)
    return Opened(None, Loaded(scene, "points", (), 0), dataset, scores, None)


def ready_lpips() -> tuple[Lpips | None, str]:
    """The metric and what it is, or why there is none: the other figures do without it."""
    try:
        path = find_weights()
        lpips = None if path is None else load_lpips(path)
    except UserError as error:
        return None, f"LPIPS is not measured: {error}"
    return (None, missing_text()) if lpips is None else (lpips, lpips.description)


def export_steps(scene: GaussianScene, alive: Tensor, path: Path) -> Steps[int]:
    """Write the living Gaussians; the size of the file."""
    yield Progress(0, 1, f"writing {path.name}")
    save_scene(scene.select(alive), path)
    return scene_bytes(path)


def score_steps(
    scene: GaussianScene,
    alive: Tensor,
    views: Sequence[View],
    names: Sequence[str],
    view_count: int | None,
) -> Steps[dict[str, Worth]]:
    """Compute the scores that views are swept for."""
    cameras = yield from scoring_cameras(scene, views, view_count)
    scores: dict[str, Worth] = yield from score(scene, cameras, names, keep=alive)
    for worth in scores.values():
        _sort(worth)
    return scores


def _sort(worth: Worth) -> None:
    """Have the order ready, so that the window's thread need not sort."""
    assert len(worth.order) == len(worth)
