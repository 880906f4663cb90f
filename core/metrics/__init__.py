"""How alike two pictures are, and how good, large and fast a scene is."""

from core.metrics.evaluation import Comparison, Evaluation, ViewQuality, compare, evaluate
from core.metrics.lpips import Lpips
from core.metrics.references import PhotoReferences, References, SceneReferences
from core.metrics.similarity import psnr, ssim, ssim_map, warm_up
from core.metrics.timing import frame_time

__all__ = [
    "Comparison",
    "Evaluation",
    "Lpips",
    "PhotoReferences",
    "References",
    "SceneReferences",
    "ViewQuality",
    "compare",
    "evaluate",
    "frame_time",
    "psnr",
    "ssim",
    "ssim_map",
    "warm_up",
]
