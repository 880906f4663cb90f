"""What lies behind everything while a scene is fitted, and behind what is transparent in photos."""

from typing import Final, Literal

import numpy as np

Color = tuple[float, float, float]
Background = Color | Literal["random"]
"""A colour for good, or another one in every step.

What is transparent cannot be imitated by Gaussians of the background's colour where that changes:
on black alone a dark haze stays that shows before anything else.
"""

BLACK: Color = (0.0, 0.0, 0.0)
RANDOM: Final = "random"


def background_at(background: Background, step: int, seed: int) -> Color:
    """The colour of a step; depends on ``step`` and ``seed`` alone."""
    if background != RANDOM:
        return background
    red, green, blue = np.random.default_rng([seed, step, 7]).random(3).tolist()
    return red, green, blue


def lasting_background(background: Background | None) -> Color:
    """One colour to score and measure on: the background itself, black where it changes or none
    was asked for, as the field does."""
    return BLACK if background is None or background == RANDOM else background
