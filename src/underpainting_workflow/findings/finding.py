"""One finding: a result in words, with its numbers, their intervals, and the same quantities for the null model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, nan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from underpainting.analysis.statistics import Interval


class Number(NamedTuple):
    """A number of a finding.

    Attributes:
        name: description of the quantity.
        value: measured; shares and changes are fractions.
        low, high: ends of its 95 % interval.
        null: the same quantity for the null model; NaN where it was not measured.
        null_low, null_high: ends of its 95 % interval.
        n: number of images or trajectories.
    """

    name: str
    value: float
    low: float
    high: float
    null: float
    null_low: float
    null_high: float
    n: int


class Finding(NamedTuple):
    """One finding.

    Attributes:
        title: heading of a few words.
        sentence: the result, with its numbers.
        meaning: consequence for a user, and limitations.
        numbers: numbers in the sentence.
        figure: file name, without extension, of the figure that shows them.
    """

    title: str
    sentence: str
    meaning: str
    numbers: tuple[Number, ...]
    figure: str

    def plain(self) -> dict[str, Any]:
        """Return the finding as values for JSON, with None for NaN."""
        numbers = [
            {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in one.items()}
            for one in (number._asdict() for number in self.numbers)
        ]
        return {**self._asdict(), "numbers": numbers}


def of_row(row: pd.Series | None, column: str) -> Interval | None:
    """Read a value of a table's row with its interval; None for no row."""
    if row is None:
        return None
    estimate, low, high = (np.asarray(row[f"{column}{end}"], np.float64) for end in ("", "_low", "_high"))
    return Interval(estimate, low, high, int(row["n"]))


def make_number(name: str, found: Interval | None, null: Interval | None) -> Number:
    """Make a number from its interval and that of the null model."""
    unknown = Interval(np.asarray(nan), np.asarray(nan), np.asarray(nan), 0)
    measured, of_null = found or unknown, null or unknown
    value, low, high = (float(end) for end in measured[:3])
    null_value, null_low, null_high = (float(end) for end in of_null[:3])
    return Number(name, value, low, high, null_value, null_low, null_high, measured.n)


def text_of_null(numbers: Iterable[Number], form: Callable[[float], str], what: str) -> str:
    """Format the values of the null model as the end of a sentence; empty where they are unknown."""
    texts = [_bracketed(one.null, one.null_low, one.null_high, form) for one in numbers if isfinite(one.null)]
    return f"; {what} {listed(texts)}" if texts else ""


def text_of(number: Number, form: Callable[[float], str], what: str = "") -> str:
    """Format a number and its interval."""
    return _bracketed(number.value, number.low, number.high, form, what)


def _bracketed(value: float, low: float, high: float, form: Callable[[float], str], what: str = "") -> str:
    ends = f" ({what}{form(low)} to {form(high)})" if isfinite(low) and isfinite(high) else ""
    return f"{form(value)}{ends}"


def listed(parts: Sequence[str]) -> str:
    """Join parts by commas and a final `and`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def named(label: str) -> str:
    """Format `DDIM, 50 steps` for a sentence."""
    return label.replace(", ", " with ", 1)


def as_share(value: float) -> str:
    """Format a fraction in per cent."""
    return f"{100 * value:.0f} %"


def as_change(value: float) -> str:
    """Format a relative change in per cent, with its sign."""
    return f"{100 * value:+.0f} %" if abs(value) >= 1 else f"{100 * value:+.1f} %"


def as_number(value: float) -> str:
    """Format a number in three decimals, a small one in two digits."""
    return f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.2g}"


def as_factor(value: float) -> str:
    """Format a factor in two decimals."""
    return f"{value:.2f}"
