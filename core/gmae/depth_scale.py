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
class Interval:
    """A value with its 95 % interval (bootstrap over images)."""

    value: float
    low: float
    high: float


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
    cap_low, cap_middle, cap_high
        The 5, 50 and 95 % quantiles of the largest 3D scale of an image's Gaussians, of the cap c.
    mean_depth
        Of all Gaussians, -1 (near) to 1.
    """

    scale: Correlation
    screen: Correlation
    residual_scale: Correlation
    residual_screen: Correlation
    query_share: Interval
    image_share: Interval
    rest_share: Interval
    cap_low: Interval
    cap_middle: Interval
    cap_high: Interval
    mean_depth: Interval


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
    residuals = [values - values.mean(0) for values in (depth, *logs)]
    return DepthScale(
        scale=_over_images(depth, logs[0], seed),
        screen=_over_images(depth, logs[1], seed),
        residual_scale=_over_images(residuals[0], residuals[1], seed),
        residual_screen=_over_images(residuals[0], residuals[2], seed),
        **_shares(depth, seed),
        **_quantiles(scale / config.scale_cap, seed),
        mean_depth=_mean_over_images(depth.mean(1), seed),
    )


def _over_images(first: Values, second: Values, seed: int) -> Correlation:
    """Mean over rows of the correlation within a row; the interval over drawings of rows."""
    rhos = np.array([spearman(a, b) for a, b in zip(first, second, strict=True)])
    mean = _mean_over_images(rhos, seed)
    return Correlation(mean.value, mean.low, mean.high, len(rhos))


def _mean_over_images(values: Values, seed: int) -> Interval:
    """The mean of a value of each image ``(B,)``."""
    means = values[np.random.default_rng(seed).integers(0, len(values), (_SAMPLES, len(values)))]
    low, high = np.quantile(means.mean(1), (0.025, 0.975))
    return Interval(float(values.mean()), float(low), float(high))


def _quantiles(scale: Values, seed: int) -> dict[str, Interval]:
    """Quantiles over the Gaussians of an image ``(B, K)``, as means over images."""
    found = np.quantile(scale, (0.05, 0.5, 0.95), axis=1)
    names = ("cap_low", "cap_middle", "cap_high")
    return {
        name: _mean_over_images(values, seed) for name, values in zip(names, found, strict=True)
    }


def _shares(depth: Values, seed: int) -> dict[str, Interval]:
    """Shares of the variance of depths ``(B, K)``; the interval is over drawings of images."""
    n = len(depth)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), _SAMPLES) / n
    weights = np.concatenate([np.full((1, n), 1 / n), weights])
    images, squares = depth.mean(1), (depth**2).mean(1)
    mean = weights @ images
    total = np.maximum(weights @ squares - mean**2, 1e-30)
    query = (weights @ depth).var(1) / total
    image = np.maximum(weights @ images**2 - mean**2, 0) / total
    shares = {
        "query_share": query,
        "image_share": image,
        "rest_share": np.maximum(1 - query - image, 0),
    }
    found = {}
    for name, values in shares.items():
        low, high = np.quantile(values[1:], (0.025, 0.975))
        found[name] = Interval(float(values[0]), float(low), float(high))
    return found
