"""Figures of every view on disk."""

import csv
import io
from pathlib import Path

from core.errors import UserError
from core.files import replacing
from core.metrics.evaluation import Comparison, Evaluation

FIGURES = ("psnr", "ssim", "lpips")


def save_csv(result: Evaluation | Comparison, path: Path) -> None:
    """Write a table with a row for each view, and columns of before and after for a comparison.

    What was not measured is left empty; ``inf`` is the PSNR of equal pictures.

    Raises
    ------
    UserError
        If the name does not end in .csv, or the file cannot be written.
    """
    check_csv_suffix(path)
    after = result.after if isinstance(result, Comparison) else result
    sides = {"": after}
    if isinstance(result, Comparison) and result.before.views:
        sides = {"_before": result.before, "_after": after}
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["view", *(figure + side for side in sides for figure in FIGURES)])
    for number, view in enumerate(after.views):
        row = [getattr(side.views[number], figure) for side in sides.values() for figure in FIGURES]
        table.writerow([view.name, *row])
    with replacing(path) as file:
        file.write(text.getvalue().encode(errors="surrogateescape"))


def check_csv_suffix(path: Path) -> None:
    """Refuse a name that is not a table's, before any work is done."""
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path.name} does not end in .csv.", "The table is written as .csv.")
