"""One sweep over the views, per-Gaussian columns, named scores."""

from core.scoring.contributions import Contributions
from core.scoring.damage import measure_psnr, predicted_psnr, worth_curve
from core.scoring.scores import DEFAULT_SCORE, SCORES, Score, find_score, score
from core.scoring.sweeping import sweep
from core.scoring.worth import ORDINARY, SINGULAR, UNSEEN, Worth

__all__ = [
    "DEFAULT_SCORE",
    "ORDINARY",
    "SCORES",
    "SINGULAR",
    "UNSEEN",
    "Contributions",
    "Score",
    "Worth",
    "find_score",
    "measure_psnr",
    "predicted_psnr",
    "score",
    "sweep",
    "worth_curve",
]
