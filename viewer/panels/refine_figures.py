"""What a run comes to, in numbers and in words."""

import math

from core.metrics.lpips_weights import missing_text
from core.pruning.rounds import Stage
from viewer.refining import Outcome, Run, TrainChoices
from viewer.widgets.numbers import (
    MISSING,
    count_text,
    megabytes_text,
    milliseconds_text,
    percent_text,
    steps_text,
)

ROWS = ("Gaussians", "Size", "PSNR", "SSIM", "LPIPS", "A picture")
TIPS = {
    "Size": "As plain PLY, in MB of a million bytes.",
    "PSNR": "Mean over the held-out photos; without photos, against the scene before the run.",
    "A picture": "Time to draw one of the measured views, before and after.",
}


def lpips_tip(stages: tuple[Stage, ...]) -> str:
    """What LPIPS was measured with, or how to have it measured."""
    net = stages[-1].evaluation.lpips_net if stages else None
    return missing_text() if net is None else f"By {net}; less is more alike."


def reached(stages: tuple[Stage, ...]) -> Stage:
    """The last stage that was not taken back."""
    back = {stage.round for stage in stages if stage.taken_back}
    return next(stage for stage in reversed(stages) if stage.round not in back)


def row_values(stages: tuple[Stage, ...]) -> tuple[str | None, ...]:
    """The first and the last stage as the table shows them."""
    if not stages:
        return (None,) * len(ROWS)
    first, last = stages[0].evaluation, reached(stages).evaluation
    if len(stages) == 1:
        return (
            count_text(first.count),
            megabytes_text(first.megabytes),
            _decibels(first.psnr),
            _number(first.ssim),
            _number(first.lpips),
            milliseconds_text(first.frame_ms),
        )
    ratio = last.count / max(1, first.count)
    share = percent_text(ratio) if ratio <= 1 else f"{ratio:.1f}×"
    return (
        f"{count_text(first.count)} → {count_text(last.count)} ({share})",
        f"{megabytes_text(first.megabytes)} → {megabytes_text(last.megabytes)}",
        _change(_decibels(first.psnr), _decibels(last.psnr)),
        _change(_number(first.ssim), _number(last.ssim)),
        _change(_number(first.lpips), _number(last.lpips)),
        _times(first.frame_ms, last.frame_ms),
    )


def told(run: Run, in_place: bool | None) -> str:
    """What became of a run, in a sentence or two."""
    if run.outcome == Outcome.RUNNING:
        return ""
    if run.outcome == Outcome.STOPPED:
        if run.offered is None:
            return "Stopped: the scene is as it was."
        return (
            f"Stopped after {steps_text(len(run.losses))}, the scene is as it was. "
            f"The run had {len(run.offered.scene):,} Gaussians."
        )
    if in_place is False:
        return "Undone: the scene is as it was before the run."
    stages = run.stages
    if run.outcome == Outcome.KEPT:
        count = len(run.document.scene)
        measured = f" Last measured: {stages[-1].name}." if len(stages) > 1 else ""
        return f"Kept after {steps_text(len(run.losses))}: {count:,} Gaussians.{measured}"
    if len(stages) < 2:
        return "Refined."
    if isinstance(run.choices, TrainChoices):
        last = stages[-1].evaluation
        return f"Trained: {last.count:,} Gaussians, {_decibels(last.psnr) or MISSING}."
    first, last = stages[0].evaluation, reached(stages).evaluation
    parts = [f"{percent_text(last.count / max(1, first.count))} of the Gaussians"]
    if math.isfinite(first.psnr) and math.isfinite(last.psnr):
        parts.append(f"{last.psnr - first.psnr:+.2f} dB".replace("-", "−"))
    elif math.isfinite(last.psnr):
        parts.append(f"{last.psnr:.1f} dB like before")
    if first.frame_ms and last.frame_ms:
        parts.append(f"drawn {first.frame_ms / last.frame_ms:.1f}× as fast")
    back = sum(stage.taken_back for stage in stages)
    taken = f" Taken back: {back} round{'' if back == 1 else 's'} that lost too much."
    return ", ".join(parts) + "." + (taken if back else "")


def _decibels(psnr: float) -> str | None:
    if math.isnan(psnr):
        return None
    return "equal" if math.isinf(psnr) else f"{psnr:.2f} dB"


def _number(value: float | None) -> str | None:
    return None if value is None or not math.isfinite(value) else f"{value:.3f}"


def _change(before: str | None, after: str | None) -> str | None:
    if before is None and after is None:
        return None
    return f"{before or MISSING} → {after or MISSING}"


def _times(before: float | None, after: float | None) -> str | None:
    if before is None or after is None:
        return None
    ratio = f" ({before / after:.1f}×)" if after else ""
    return f"{milliseconds_text(before)} → {milliseconds_text(after)}{ratio}"
