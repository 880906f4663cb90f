"""Does a Gaussian's depth go with its size? Measured, with what has to stand next to the number.

Under the authors' camera depth learns through size alone, so that a relation between both follows
from the camera. The 3D scale may agree with depth almost perfectly while the size that is seen does
not: the size on the screen, the residual without each query's mean, and a model of the camera
``ortho``, whose depth learns nothing, belong to every report.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from core.gmae.cameras import project
from core.gmae.config import Config
from core.gmae.gaussians import Gaussians

Values = NDArray[np.float64]
_SAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rank correlation with its 95 % interval (bootstrap), over ``count`` things."""

    rho: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class DepthScale:
    """Depth against size over many images; means over images of correlations within each.

    Attributes
    ----------
    scale, screen
        Depth against the largest 3D scale, and against the size in the picture.
    residual_scale, residual_screen
        The same after each query's mean over the images is taken off.
    query_share, image_share, rest_share
        Of the variance of depth: between queries, between images, and what is left.
    """

    scale: Correlation
    screen: Correlation
    residual_scale: Correlation
    residual_screen: Correlation
    query_share: float
    image_share: float
    rest_share: float


def spearman(first: Values, second: Values) -> float:
    """Spearman's rank correlation; 0 where either does not vary."""
    a, b = rankdata(first), rankdata(second)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm else 0.0


def correlate(first: Values, second: Values, seed: int = 0) -> Correlation:
    """Rank correlation of two columns ``(N,)`` with the interval over drawings of the rows."""
    generator = np.random.default_rng(seed)
    n = len(first)
    draws = generator.integers(0, n, (_SAMPLES, n))
    rhos = [spearman(first[rows], second[rows]) for rows in draws]
    low, high = np.quantile(rhos, (0.025, 0.975))
    return Correlation(spearman(first, second), float(low), float(high), n)


def measure_depth_scale(gaussians: Gaussians, config: Config, seed: int = 0) -> DepthScale:
    """All of it for the Gaussians of B images, in the order of the queries."""
    seen = project(gaussians, config.projection, config.size)
    depth = gaussians.means[..., 2].detach().cpu().double().numpy()
    scale = gaussians.scales.amax(-1).detach().cpu().double().numpy()
    screen = seen.screen_sigmas().detach().cpu().double().numpy()
    logs = [np.log(np.maximum(values, 1e-12)) for values in (scale, screen)]
    total = max(float(depth.var()), 1e-30)
    query = float(depth.mean(0).var()) / total
    image = float(depth.mean(1).var()) / total
    residuals = [values - values.mean(0) for values in (depth, *logs)]
    return DepthScale(
        scale=_over_images(depth, logs[0], seed),
        screen=_over_images(depth, logs[1], seed),
        residual_scale=_over_images(residuals[0], residuals[1], seed),
        residual_screen=_over_images(residuals[0], residuals[2], seed),
        query_share=query,
        image_share=image,
        rest_share=max(0.0, 1 - query - image),
    )


def _over_images(first: Values, second: Values, seed: int) -> Correlation:
    """Mean over rows of the correlation within a row; the interval over drawings of rows."""
    rhos = np.array([spearman(a, b) for a, b in zip(first, second, strict=True)])
    generator = np.random.default_rng(seed)
    means = rhos[generator.integers(0, len(rhos), (_SAMPLES, len(rhos)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Correlation(float(rhos.mean()), float(low), float(high), len(rhos))
