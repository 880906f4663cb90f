"""How numbers are written for a person."""

import math

MISSING = "–"


def count_text(count: int | None) -> str:
    """A count with thousands separators, a dash where it was not measured."""
    return MISSING if count is None else f"{count:,}"


def megabytes_text(megabytes: float | None) -> str:
    """A size in units of 10**6 bytes."""
    if megabytes is None:
        return MISSING
    return f"{megabytes:,.1f} MB" if megabytes >= 1 else f"{megabytes:.3g} MB"


def percent_text(fraction: float) -> str:
    """A share in 0..1 as a percentage; never rounded to all or nothing when it is not."""
    percent = 100 * fraction
    if 0 < percent < 0.05 or 99.95 <= percent < 100:
        return f"{percent:.3f} %"
    return f"{percent:.1f} %"


def value_text(value: float | None) -> str:
    """A score with three significant digits."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.3g}"


def milliseconds_text(ms: float | None) -> str:
    """The time of a picture, a dash where none was drawn."""
    return f"{MISSING if ms is None else f'{ms:,.{0 if ms >= 10 else 1}f}'} ms"


def duration_text(seconds: float) -> str:
    """Minutes and seconds as 0:07, with hours where there are any."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
