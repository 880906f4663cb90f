"""When and where training adds Gaussians."""

from dataclasses import dataclass

from core.errors import UserError


@dataclass(frozen=True, slots=True)
class Growth:
    """When and where Gaussians are added and taken away.

    Parameters
    ----------
    start, stop
        Shares of all steps between which it happens.
    every
        Steps between two times.
    gradient
        Mean gradient by the place in the picture (whose sides are 2 long) above which a Gaussian
        is split or doubled.
    least_opacity
        Below it a Gaussian goes.
    reset_every
        Steps between two times that all opacities are lowered; 0 for never.
    """

    start: float = 0.1
    stop: float = 0.6
    every: int = 100
    gradient: float = 2e-4
    least_opacity: float = 0.005
    reset_every: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop <= 1 or self.every < 1 or self.reset_every < 0:
            raise UserError("Gaussians are added between two shares of the steps, from 0 to 1.")
        if not self.gradient > 0 or not 0 <= self.least_opacity < 1:
            raise UserError("The bounds of gradient and opacity are positive.")


DEFAULT_GROWTH = Growth()
