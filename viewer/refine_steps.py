"""The job of a prune-refine run: what it is fitted to, measured on, and the scores after it."""

from core.editing import Document
from core.jobs import Steps
from core.metrics.references import find_references
from core.pruning.rounds import run_rounds
from core.scene import GaussianScene
from core.training import RefineSettings, find_targets
from viewer.refining import Choices, Refined
from viewer.steps import ready_scores


def refine_steps(scene: GaussianScene, document: Document, choices: Choices) -> Steps[Refined]:
    """Run rounds against the document's training photos; without any, against the scene itself."""
    views, background = document.views, choices.background
    targets = yield from find_targets(scene, views, background=background)
    references = yield from find_references(views, scene, background=background)
    settings = RefineSettings(seed=choices.seed)
    result = yield from run_rounds(scene, targets, choices.schedule, references, settings=settings)
    scores = yield from ready_scores(result.scene)
    return Refined(result, scores)
