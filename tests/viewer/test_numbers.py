"""How numbers are written for a person."""

import math

import pytest

from viewer.widgets.numbers import MISSING, megabytes_text, span_text, value_text


@pytest.mark.parametrize(
    ("value", "text", "plain"),
    [
        (0.0, "0", "0"),
        (0.112, "0.112", "0.112"),
        (66.7, "66.7", "66.7"),
        (999.6, "1,000", "1000"),
        (-4951.0, "-4,950", "-4950"),
        (123_456.0, "123,000", "123000"),
        (2.963e-6, "2.96e-6", "2.96e-6"),
        (1e-7, "1e-7", "1e-7"),
        (5e9, "5e9", "5e9"),
        (math.inf, "∞", "∞"),
        (-math.inf, "-∞", "-∞"),
        (math.nan, "–", "–"),
        (None, "–", "–"),
    ],
)
def test_values_have_three_digits_and_are_legible(value, text, plain) -> None:
    assert value_text(value) == text
    assert value_text(value, grouped=False) == plain
    if value is not None and math.isfinite(value):
        assert float(plain) == pytest.approx(value, rel=5e-3)


def test_small_sizes_are_in_kilobytes() -> None:
    assert [megabytes_text(size) for size in (None, 0.0131, 0.1, 0.569, 26.06, 1234.5)] == [
        MISSING,
        "13.1 kB",
        "0.1 MB",
        "0.569 MB",
        "26.1 MB",
        "1,234.5 MB",
    ]


def test_two_values_are_told_apart() -> None:
    assert span_text(7.012, 7.0138) == "7.0120 to 7.0138"
    assert span_text(0.76, 1.66) == "0.76 to 1.66"
    assert span_text(1200, 5400) == "1,200 to 5,400"
    assert span_text(7.0, 7.0) == "7 to 7"
    assert span_text(7.0, 7.33) == "7.00 to 7.33"
    assert span_text(-0.5, 12) == "-0.5 to 12.0"
    assert span_text(3, 12345) == "3 to 12,300"
