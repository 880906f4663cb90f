"""Filters in words: ``opacity < 0.05``."""

import math

from core.errors import UserError
from core.pruning.cut import Choice, Cut, Filter, Relation

_SIGNS = {Relation.BELOW: "<", Relation.ABOVE: ">"}
_HINT = "Write it as NAME<NUMBER or NAME>NUMBER, such as opacity<0.05."


def parse_filter(text: str) -> Filter:
    """The filter that a text describes: a name, ``<`` or ``>``, and a number.

    Raises
    ------
    UserError
        If the text is not of that form.
    """
    for relation, sign in _SIGNS.items():
        name, found, number = text.rpartition(sign)
        if not found:
            continue
        try:
            value = float(number)
        except ValueError:
            continue
        if name.strip() and not math.isnan(value):
            return Filter(name.strip(), relation, value)
    raise UserError(f"{text!r} is not a filter.", _HINT)


def filter_text(entry: Filter) -> str:
    """A filter in words, such as ``opacity < 0.05``, which :func:`parse_filter` reads."""
    return f"{entry.name} {_SIGNS[entry.relation]} {entry.value}"


def shortfall_text(cut: Cut, left: Choice) -> str:
    """Why another number stays than a cut's target, in a sentence; empty where exactly that stays.

    ``left`` is what the cut's filters leave to the score.
    """
    if cut.target is None:
        return ""
    if cut.target < left.others:
        return f"The filters allow no more: {left.others:,} stay."
    if cut.target > left.others + left.count:
        return f"The filters alone leave only {left.count:,}."
    return ""
