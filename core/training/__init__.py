"""Fitting Gaussians to pictures: refining what is there, training from points."""

from core.training.backgrounds import RANDOM, Background, lasting_background
from core.training.growth import Growth
from core.training.losses import picture_loss
from core.training.rates import PAPER_REFINE_RATES, LearningRates
from core.training.refining import RefineSettings, refine
from core.training.sources import find_targets
from core.training.sparsity import Sparsify
from core.training.targets import Example, PhotoTargets, SelfTargets, Targets
from core.training.training import TrainSettings, train

__all__ = [
    "PAPER_REFINE_RATES",
    "RANDOM",
    "Background",
    "Example",
    "Growth",
    "LearningRates",
    "PhotoTargets",
    "RefineSettings",
    "SelfTargets",
    "Sparsify",
    "Targets",
    "TrainSettings",
    "find_targets",
    "lasting_background",
    "picture_loss",
    "refine",
    "train",
]
