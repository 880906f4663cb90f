"""What the nets predict: a scene's attributes as channels, in a form that is easy to predict.

Channels ``(N, C)``, ``C = 7 + 3 K``: opacity logit, three log-scales, the vector part of the unit
quaternion with ``w >= 0``, and the colour's K coefficients one by one, red, green, blue innermost.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.scene import GaussianScene

LARGEST_LOGIT = 12.0
LOG_SCALES = -20.0, 10.0
SCALES, QUATS, COLORS = slice(1, 4), slice(4, 7), slice(7, None)
_LEAST_W2 = 1e-8
_REACH = 8.0
"""Standard deviations from the mean beyond which a value is cut off by robust limits."""

_C, _H = 0.5**0.5, 0.5
_TURNS = {
    (0, 1, 2): (1.0, 0.0, 0.0, 0.0),
    (1, 0, 2): (_C, 0.0, 0.0, _C),
    (0, 2, 1): (_C, _C, 0.0, 0.0),
    (2, 1, 0): (_C, 0.0, _C, 0.0),
    (1, 2, 0): (_H, _H, _H, _H),
    (2, 0, 1): (_H, -_H, -_H, -_H),
}
"""Rotations that bring axis ``p[j]`` to place j, up to its sign, by p."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What -1 and 1 stand for, by channel, ``(C,)`` each."""

    lows: Tensor
    highs: Tensor

    def normalized(self, channels: Tensor) -> Tensor:
        """Channels ``(..., C)`` in -1..1; what lies beyond the limits is cut off."""
        return ((channels - self.lows) / self._half - 1).clamp(-1, 1)

    def denormalized(self, values: Tensor) -> Tensor:
        """The inverse; values beyond -1..1 are cut off."""
        return (values.clamp(-1, 1) + 1) * self._half + self.lows

    @property
    def _half(self) -> Tensor:
        """Half of the range; 1 where there is none."""
        half = (self.highs - self.lows) / 2
        return torch.where(half > 0, half, 1.0)


def channel_count(sh_degree: int) -> int:
    """C for colours of a degree."""
    return 7 + 3 * (sh_degree + 1) ** 2


def tamed(scene: GaussianScene) -> GaussianScene:
    """The scene without what no net can predict.

    Quaternions have length 1 and ``w >= 0``, a zero one becomes the identity; opacity logits lie
    in -12..12 and log-scales in -20..10; values that are not finite become zero.
    """
    lengths = torch.linalg.vector_norm(scene.quats, dim=1, keepdim=True)
    fair = (lengths > 0) & lengths.isfinite()
    identity = scene.quats.new_tensor([1.0, 0.0, 0.0, 0.0])
    quats = torch.where(fair, scene.quats / torch.where(fair, lengths, 1.0), identity)
    return replace(
        scene,
        means=scene.means.nan_to_num(0.0, 0.0, 0.0),
        log_scales=scene.log_scales.nan_to_num(LOG_SCALES[0]).clamp(*LOG_SCALES),
        quats=_upper(quats),
        opacity_logits=scene.opacity_logits.nan_to_num(-LARGEST_LOGIT).clamp(
            -LARGEST_LOGIT, LARGEST_LOGIT
        ),
        sh=scene.sh.nan_to_num(0.0, 0.0, 0.0),
        columns={},
    )


def canonical(scene: GaussianScene) -> GaussianScene:
    """The same Gaussians, each by the one of its 48 equivalent descriptions that varies least.

    Scales fall, and of the four right-handed frames that remain the one is taken that is turned
    least. Covariances stay the same.

    Parameters
    ----------
    scene
        As :func:`tamed` returns it.
    """
    order = scene.log_scales.argsort(dim=1, descending=True, stable=True)
    table = torch.zeros(9, 4, dtype=scene.quats.dtype, device=scene.device)
    for places, turn in _TURNS.items():
        table[3 * places[0] + places[1]] = table.new_tensor(turn)
    quats = _product(scene.quats, table[3 * order[:, 0] + order[:, 1]])
    w, x, y, z = quats.unbind(1)
    # Half turns around the first, second and third axis only change the axes' signs.
    frames = torch.stack(
        [
            quats,
            torch.stack([-x, w, z, -y], 1),
            torch.stack([-y, -z, w, x], 1),
            torch.stack([-z, y, -x, w], 1),
        ],
        1,
    )
    chosen = frames[torch.arange(len(scene), device=scene.device), quats.abs().argmax(1)]
    return replace(scene, log_scales=scene.log_scales.gather(1, order), quats=_upper(chosen))


def channels_of(scene: GaussianScene) -> Tensor:
    """The channels ``(N, C)`` of a scene with unit quaternions and ``w >= 0``."""
    parts = [
        scene.opacity_logits[:, None],
        scene.log_scales,
        scene.quats[:, 1:],
        scene.sh.reshape(len(scene), scene.sh.shape[1] * 3),
    ]
    return torch.cat(parts, 1)


def scene_from(channels: Tensor, means: Tensor, antialiased: bool = False) -> GaussianScene:
    """The scene of channels ``(N, C)``; differentiable by them."""
    vector = channels[:, QUATS]
    w = (1 - vector.square().sum(1, keepdim=True)).clamp_min(_LEAST_W2).sqrt()
    return GaussianScene(
        means=means,
        log_scales=channels[:, SCALES],
        quats=torch.cat([w, vector], 1),
        opacity_logits=channels[:, 0],
        sh=channels[:, COLORS].reshape(len(means), -1, 3),
        antialiased=antialiased,
    )


def full_limits(channels: Tensor) -> Limits:
    """Least and greatest value of every channel, as in NeuralGS."""
    return Limits(channels.amin(0), channels.amax(0))


def robust_limits(channels: Tensor) -> Limits:
    """As :func:`full_limits`, but at most eight standard deviations from the mean.

    A few outliers would else press all others together.
    """
    mean, spread = channels.mean(0), _REACH * channels.std(0, correction=0)
    full = full_limits(channels)
    return Limits(torch.maximum(full.lows, mean - spread), torch.minimum(full.highs, mean + spread))


def _upper(quats: Tensor) -> Tensor:
    """Unit quaternions of the same rotations with ``w >= 0``."""
    return torch.where(quats[:, :1] < 0, -quats, quats)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton's product of quaternions ``(N, 4)``: first b, then a."""
    aw, ax, ay, az = a.unbind(1)
    bw, bx, by, bz = b.unbind(1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        1,
    )
