"""The jobs of the Refine panel: what is fitted to, measured on, and the scores after it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

import torch

from core.cameras import Split
from core.datasets.dataset import PointCloud
from core.editing import Document
from core.jobs import Progress, Steps
from core.metrics import Lpips, References, evaluate
from core.metrics.references import find_references
from core.pruning.rounds import RoundsResult, Stage, run_rounds
from core.scene import GaussianScene
from core.training import RefineSettings, find_targets, lasting_background, train
from viewer.refining import Choices, Refined, TrainChoices
from viewer.steps import ready_lpips, ready_scores

R = TypeVar("R")


def refine_steps(scene: GaussianScene, document: Document, choices: Choices) -> Steps[Refined]:
    """Run rounds against the document's training photos; without any, against the scene itself."""
    views, background = document.views, choices.background
    lpips = yield from _lpips_steps()
    targets = yield from find_targets(scene, views, background=background)
    lasting = lasting_background(background)
    references = yield from find_references(views, scene, background=lasting)
    result = yield from run_rounds(
        scene,
        targets,
        choices.schedule,
        references,
        settings=RefineSettings(seed=choices.seed),
        lpips=lpips,
    )
    scores = yield from ready_scores(result.scene)
    return Refined(result, scores)


def train_steps(scene: GaussianScene, document: Document, choices: TrainChoices) -> Steps[Refined]:
    """Train from the points that a scene stands for; both are measured."""
    settings, views = choices.settings, document.views
    photos = [view for view in views if view.photo is not None and view.split == Split.TRAIN]
    lpips = yield from _lpips_steps()
    lasting = lasting_background(settings.background)
    references = yield from find_references(views, background=lasting)
    part = _Parts(settings.steps + 2 * len(references.cameras))
    start = yield from part.measure("start", scene, references, lpips)
    trained = yield from part.go(
        train(photos, _points(scene), settings, device=scene.device),
        settings.steps,
        result=lambda so_far: RoundsResult(so_far, (start,)),
    )
    end = yield from part.measure("trained", trained, references, lpips)
    result = RoundsResult(trained, (start, end))
    yield Progress(part.total, part.total, "scoring", partial=result)
    scores = yield from ready_scores(trained)
    return Refined(result, scores)


class _Parts:
    """Jobs one after the other, reported as one of ``total`` steps."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._done = 0

    def measure(
        self, name: str, scene: GaussianScene, references: References, lpips: Lpips | None
    ) -> Steps[Stage]:
        """Measure a stage."""
        evaluation = yield from self.go(
            evaluate(scene, references, lpips=lpips),
            len(references.cameras),
            f"measuring: {name}",
        )
        stage = Stage(name, 0, evaluation, 0.0)
        return stage

    def go(
        self,
        steps: Steps[R],
        work: int,
        label: str = "",
        result: Callable[[GaussianScene], RoundsResult] | None = None,
    ) -> Steps[R]:
        """Go through a job that makes ``work`` steps of the whole."""
        with closing(steps):
            while True:
                try:
                    progress = next(steps)
                except StopIteration as stop:
                    self._done += work
                    made: R = stop.value
                    return made
                so_far = None if result is None else progress.partial
                yield replace(
                    progress,
                    done=self._done + round(work * progress.fraction),
                    total=self.total,
                    message=f"{label}, {progress.message}" if label else progress.message,
                    partial=None if so_far is None or result is None else result(so_far),
                )


def _points(scene: GaussianScene) -> PointCloud:
    """Places and colours of Gaussians, as sparse points come."""
    colors = (255 * scene.base_colors()).round().to(torch.uint8)
    return PointCloud(scene.means.cpu().numpy(), colors.cpu().numpy())


def _lpips_steps() -> Steps[Lpips | None]:
    """Read the weights of LPIPS; where there are none, the job's log says how to get them."""
    yield Progress(0, 1, "reading the weights of LPIPS")
    lpips, told = ready_lpips()
    yield Progress(0, 1, told)
    return lpips
