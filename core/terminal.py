"""What the command line writes: reports on standard output, progress and problems on stderr."""

import json
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from core.jobs import Progress, Steps, drain

R = TypeVar("R")
COLUMN = 12

stderr = Console(stderr=True)


def fail(message: str) -> int:
    """Say what is wrong in one line; the exit code for wrong usage or input."""
    sys.stderr.write(f"splatscope: {message}\n")
    return 2


def report(values: Mapping[str, Any], as_json: bool) -> None:
    """Print one JSON object, or a line for each value that there is.

    A mapping's entries stand one below the other.
    """
    if as_json:
        typer.echo(json.dumps(values))
        return
    width = max(map(len, values))
    for key, value in values.items():
        if value in (None, "", [], {}):
            continue
        label = key.replace("_", " ")
        if not isinstance(value, Mapping):
            typer.echo(f"{label:<{width}}  {_text(value)}")
            continue
        room = max(len(_text(entry)) for entry in value.values())
        for part, entry in value.items():
            typer.echo(f"{label:<{width}}  {_text(entry):>{room}}  {part}")
            label = ""


def print_table(
    columns: Sequence[str], rows: Mapping[str, Mapping[str, float | str | None]]
) -> None:
    """Print named rows of numbers below the names of their columns; a dash where there is none."""
    width = max(map(len, rows))
    typer.echo(f"\n{'':<{width}}" + "".join(f"{column:>{COLUMN}}" for column in columns))
    for name, row in rows.items():
        numbers = (row[column] for column in columns)
        cells = ("-" if number is None else _cell(number) for number in numbers)
        typer.echo(f"{name:<{width}}" + "".join(f"{cell:>{COLUMN}}" for cell in cells))


def run_steps(steps: Steps[R]) -> R:
    """Run a job to its end and return its result; draws a bar if stderr is a terminal.

    A SIGTERM ends it like Ctrl+C. (pycolmap, once imported, would tell of a crash.)
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _cancel)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                completed=progress.done,
                total=progress.total,
                description=progress.message,
            )

        return drain(steps, show)


def _cancel(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _cell(number: float | str) -> str:
    return f"{number:.4g}" if isinstance(number, float) else _text(number)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
