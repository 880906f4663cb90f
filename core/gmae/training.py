"""Training a masked autoencoder on a folder of images, as a job."""

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.errors import UserError
from core.gmae.folder import ImageFolder
from core.gmae.losses import Loss, reconstruction_loss
from core.gmae.masking import pixels_of_patches, split_patches
from core.gmae.model import GaussianAutoencoder
from core.gmae.splatting import pictures
from core.jobs import Progress, Steps
from core.training.checkpoint import Checkpoint
from core.training.fitting import MAX_STEPS, DivergedError, Work

SAMPLES = 4
BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.05
CLIP = 2.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a model is trained.

    Attributes
    ----------
    steps
        At most so many.
    seconds
        Of work, after which it ends too; the rate then falls with the time. None without limit.
    batch, pixels
        Images in a step, and pixels of each that are drawn.
    rate, warm_up
        Largest learning rate, and the steps until it is reached; then it falls as a cosine.
    loss, seed
        What is made small, and what chance depends on.
    """

    steps: int = 3000
    seconds: float | None = None
    batch: int = 32
    pixels: int = 384
    rate: float = 1.2e-3
    warm_up: int = 150
    loss: Loss = Loss.MASKED
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MAX_STEPS:
            raise UserError(f"{self.steps} steps cannot be made.", f"Choose 1 to {MAX_STEPS:,}.")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise UserError(f"A run cannot take {self.seconds} seconds.", "Choose more than 0.")
        if self.batch < 1 or self.pixels < 1 or self.warm_up < 0 or self.seed < 0:
            raise UserError("A step needs an image and a pixel, and seeds begin at 0.")
        if not 0 < self.rate <= 1:
            raise UserError(f"The learning rate is {self.rate:g}.", "It lies between 0 and 1.")

    def rate_at(self, step: int, done: float) -> float:
        """The rate of a step when a share ``done`` of the run is behind."""
        warm = min(1.0, (step + 1) / max(1, self.warm_up))
        return self.rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model, what is known of its training, and pictures to look at.

    ``samples`` float32 ``(n, 3, S, S, 3)``: images, what the encoder saw of them with the rest
    grey, and the Gaussians from that.
    """

    model: GaussianAutoencoder
    notes: Mapping[str, str | float | int]
    samples: Tensor


def train_model(
    model: GaussianAutoencoder,
    images: ImageFolder,
    schedule: Schedule,
    checkpoint: Path | None = None,
) -> Steps[Trained]:
    """Train a model where it is, one step a yield; partial results are :class:`Trained`.

    With a checkpoint the state is written there every 40 seconds of work, at the end, and when the
    run is cancelled; a run of the same settings that finds it goes on from it, and without a limit
    of time ends the same, bit by bit. AdamW without decay on vectors, biases and queries, gradients
    clipped at 2, as the authors train.
    """
    run = _Run(model, images, schedule)
    saved, done = None, 0
    if checkpoint is not None:
        identity = {"settings": repr(asdict(schedule)), "images": images.identity}
        saved = Checkpoint(checkpoint, {**identity, "model": repr(model.config.texts())})
        done = saved.resume(run, run.clock)
    resumed = done
    work = Work()
    try:
        while run.share(done) < 1:
            work.begin()
            started = time.perf_counter()
            loss = run.step(done)
            run.clock.seconds += time.perf_counter() - started
            done += 1
            partial = None
            if work.partial_due():
                with work.timed():
                    partial = run.result(done, loss)
            if saved is not None and work.checkpoint_due():
                saved.save(run, run.clock, done)
            work.end()
            total = run.expected(done)
            yield Progress(done, total, f"step {done} of {total}", {"loss": loss}, partial)
    except DivergedError:
        raise
    except (GeneratorExit, UserError):
        if saved is not None and done > resumed:
            saved.save(run, run.clock, done)
        raise
    if saved is not None and done > resumed:
        saved.save(run, run.clock, done)
    return run.result(done, run.last_loss)


class _Clock:
    """Seconds of work of a run, over interruptions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def state(self) -> dict[str, Tensor]:
        return {"seconds": torch.tensor(self.seconds, dtype=torch.float64)}

    def restore(self, state: Mapping[str, Tensor], parameters: object) -> None:
        self.seconds = float(state["seconds"])


class _Run:
    """A model with its optimiser."""

    def __init__(self, model: GaussianAutoencoder, images: ImageFolder, schedule: Schedule) -> None:
        self.model, self.images, self.schedule = model, images, schedule
        self.clock = _Clock()
        self.last_loss = math.nan
        self._device = next(model.parameters()).device
        named = dict(model.named_parameters())
        plain = {"queries", "biases", "class_token", "mask_token"}
        decayed = [p for name, p in named.items() if p.dim() > 1 and name not in plain]
        others = [p for name, p in named.items() if p.dim() <= 1 or name in plain]
        groups = [
            {"params": decayed, "weight_decay": WEIGHT_DECAY},
            {"params": others, "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(groups, schedule.rate, BETAS)

    def share(self, done: int) -> float:
        """How much of the run is behind."""
        spent = self.clock.seconds / self.schedule.seconds if self.schedule.seconds else 0.0
        return max(done / self.schedule.steps, spent)

    def expected(self, done: int) -> int:
        """How many steps it will be."""
        share = self.share(done)
        return min(self.schedule.steps, max(done, round(done / share))) if share else done

    def step(self, number: int) -> float:
        """One step; its loss."""
        schedule = self.schedule
        self.model.train()
        for group in self._adam.param_groups:
            group["lr"] = schedule.rate_at(number, self.share(number))
        batch = self.images.crops(schedule.batch, schedule.seed, number).to(self._device)
        generator = torch.Generator().manual_seed((schedule.seed << 32) + number)
        loss = reconstruction_loss(self.model, batch, schedule.loss, schedule.pixels, generator)
        self.last_loss = float(loss.detach())
        if not math.isfinite(self.last_loss):
            raise DivergedError(
                f"The loss is no number any more at step {number + 1}.",
                "Use a lower learning rate. What was reached before can be kept.",
            )
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self._adam.step()
        return self.last_loss

    def result(self, done: int, loss: float) -> Trained:
        """The model as it is now, which later steps do not change."""
        model = copy.deepcopy(self.model).eval()
        notes: dict[str, str | float | int] = {
            "steps": done,
            "loss": loss,
            "images": len(self.images),
            "seconds": round(self.clock.seconds, 1),
            "batch": self.schedule.batch,
            "trained_for": str(self.schedule.loss),
            "seed": self.schedule.seed,
        }
        shown = self.images.squares(list(range(min(SAMPLES, len(self.images)))))
        return Trained(model, notes, sample_pictures(model, shown.to(self._device)))

    def state(self) -> dict[str, Tensor]:
        """Parameters and Adam's moments by name."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for moment, value in self._adam.state[parameter].items():
                tensors[f"adam.{moment}.{name}"] = value
        return tensors

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a :meth:`state`; a ValueError if it has other shapes."""
        own = {name: state[f"model.{name}"] for name in self.model.state_dict()}
        moments: dict[str, dict[str, Tensor]] = {}
        for name, parameter in self.model.named_parameters():
            if own[name].shape != parameter.shape:
                raise ValueError(f"{name} has another shape")
            moments[name] = {
                moment: state[f"adam.{moment}.{name}"].clone()
                for moment in ("step", "exp_avg", "exp_avg_sq")
            }
            if moments[name]["exp_avg"].shape != parameter.shape:
                raise ValueError(f"the moments of {name} have another shape")
        self.model.load_state_dict(own)
        for name, parameter in self.model.named_parameters():
            kept = moments[name]
            self._adam.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device)
                for key, value in kept.items()
            }


@torch.no_grad()
def sample_pictures(model: GaussianAutoencoder, images: Tensor, seed: int = 0) -> Tensor:
    """Images ``(B, 3, S, S)``, what is seen of them, and the Gaussians: ``(B, 3, S, S, 3)``."""
    config = model.config
    generator = torch.Generator().manual_seed(seed)
    visible, masked = split_patches(len(images), config.patches, config.mask_ratio, generator)
    hidden = pixels_of_patches(masked.to(images.device), config.size, config.patch)
    seen = images.flatten(2).clone()
    seen.scatter_(2, hidden.unsqueeze(1).expand(-1, 3, -1), 0.5)
    made = pictures(model(images, visible.to(images.device)), config.projection, config.size)
    whole, part = (x.reshape(images.shape).permute(0, 2, 3, 1) for x in (images, seen))
    return torch.stack([whole, part, made], 1).cpu()


def sample_sheet(samples: Tensor) -> Tensor:
    """The samples of :class:`Trained` one below the other, ``(H, W, 3)``."""
    return torch.cat([torch.cat(list(row), 1) for row in samples])
