"""Filters in words: ``opacity < 0.05``."""

import math

from core.errors import UserError
from core.pruning.cut import Filter, Relation

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
