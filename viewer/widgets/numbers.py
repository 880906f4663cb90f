"""How numbers are written for a person."""

import math

MISSING = "–"
WRITTEN_OUT = 1e6
"""Below this, numbers have no exponent."""


def count_text(count: int | None) -> str:
    """A count with thousands separators, a dash where it was not measured."""
    return MISSING if count is None else f"{count:,}"


def megabytes_text(megabytes: float | None) -> str:
    """A size in units of 10**6 bytes, a small one of 10**3."""
    if megabytes is None:
        return MISSING
    if megabytes < 0.1:
        return f"{1e3 * megabytes:.3g} kB"
    return f"{megabytes:,.1f} MB" if megabytes >= 1 else f"{megabytes:.3g} MB"


def percent_text(fraction: float) -> str:
    """A share in 0..1 as a percentage; never rounded to all or nothing when it is not."""
    percent = 100 * fraction
    if 0 < percent < 0.05 or 99.95 <= percent < 100:
        return f"{percent:.3f} %"
    return f"{percent:.1f} %"


def value_text(value: float | None, grouped: bool = True) -> str:
    """A score with three significant digits; ``grouped`` puts separators between thousands.

    What a field holds is not grouped, for the field to read it again.
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    if 1 <= abs(float(text)) < WRITTEN_OUT:
        return f"{float(text):,.0f}" if grouped else f"{float(text):.0f}"
    digits, exponent = text.split("e")
    return f"{digits}e{int(exponent)}"


def apart_text(value: float, gap: float) -> str:
    """A value as :func:`value_text`, with more digits where another may be but ``gap`` away."""
    if not (0 < gap < math.inf and 0 < abs(value) < WRITTEN_OUT):
        return value_text(value)
    decimals = min(9, 1 - math.floor(math.log10(gap)))
    shown = 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{decimals}f}" if decimals > shown else value_text(value)


def span_text(low: float, high: float) -> str:
    """Two values as in "7.012 to 7.038", with as many digits, enough to tell them apart."""
    texts = [apart_text(value, high - low) for value in (low, high)]
    if not any(sign in text for text in texts for sign in (MISSING, "∞", "e", ",")):
        decimals = max(len(text.partition(".")[2]) for text in texts)
        texts = [f"{value:.{decimals}f}" for value in (low, high)]
    return " to ".join(texts)


def steps_text(count: int) -> str:
    """A number of steps, as in "1 step" and "1,000 steps"."""
    return f"{count:,} step" if count == 1 else f"{count:,} steps"


def milliseconds_text(ms: float | None) -> str:
    """The time of a picture, a dash where none was drawn."""
    return f"{MISSING if ms is None else f'{ms:,.{0 if ms >= 10 else 1}f}'} ms"


def duration_text(seconds: float) -> str:
    """Minutes and seconds as 0:07, with hours where there are any."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
