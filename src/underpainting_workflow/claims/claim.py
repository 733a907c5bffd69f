"""One claim: its quantity, its null model, and the verdict."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Literal, NamedTuple

import numpy as np

from underpainting.analysis.statistics import Interval

PROJECT_TARGET = "project target"
"""Source of the bounds that are this project's, not the paper's."""

Verdict = Literal["yes", "no", "undecided", "trivial"]


class Null(NamedTuple):
    """The quantity of a claim for a null model, which lacks the claimed property.

    Attributes:
        model: its description.
        interval: of the quantity; an exact value has equal ends.
    """

    model: str
    interval: Interval


NO_NULL = Null("", Interval(np.asarray(nan), np.asarray(nan), np.asarray(nan), 0))
"""The null model of a claim that has none."""


class Claim(NamedTuple):
    """A claim, the paper's value and the measured one; the columns of `claims.csv`.

    Attributes:
        claim: statement, with its bound.
        source: section, equation, table or figure of the paper; `PROJECT_TARGET` for a bound of this project.
        paper: the paper's value, as printed; empty where it gives none.
        estimate: measured value.
        low, high: ends of its 95 % interval; NaN where there is none.
        null_model: description of the null model; empty where there is none.
        null: the same quantity for the null model.
        null_low, null_high: ends of its 95 % interval, equal where it is exact; NaN without a null model.
        n: number of seeds, images or components.
        reproduced: yes, no, undecided or trivial; see `judge`.
    """

    claim: str
    source: str
    paper: str
    estimate: float
    low: float
    high: float
    null_model: str
    null: float
    null_low: float
    null_high: float
    n: int
    reproduced: Verdict


def exact(model: str, value: float) -> Null:
    """Make a null model whose value is known exactly."""
    return known(model, value, value, value)


def known(model: str, value: float, low: float, high: float) -> Null:
    """Make a null model whose value and interval are known without data."""
    return Null(model, Interval(np.asarray(float(value)), np.asarray(float(low)), np.asarray(float(high)), 0))


def judge(
    low: float,
    high: float,
    at_least: float = -inf,
    at_most: float = inf,
    null_low: float = nan,
    null_high: float = nan,
) -> Verdict:
    """Decide whether a claim holds, from the interval of its quantity and that of the null model.

    In this order: `no` where the complete interval lies outside the bounds; `undecided` where it contains a bound;
    `trivial` where the complete interval of the null model lies within the bounds, too, so that the claim carries no
    information; `undecided` where the two intervals overlap, or where there is no null model; `yes` otherwise.

    Args:
        low, high: the interval; both the estimate for a number without one. NaN leaves the claim undecided.
        at_least, at_most: the bounds, inclusive.
        null_low, null_high: the interval of the null model; NaN for no null model.
    """
    if isnan(low) or isnan(high):
        return "undecided"
    if high < at_least or low > at_most:
        return "no"
    if low < at_least or high > at_most:
        return "undecided"
    if isnan(null_low) or isnan(null_high):
        return "undecided"
    if null_low >= at_least and null_high <= at_most:
        return "trivial"
    return "undecided" if low <= null_high and null_low <= high else "yes"


def of_interval(
    claim: str,
    source: str,
    paper: str,
    measured: Interval,
    *,
    at_least: float = -inf,
    at_most: float = inf,
    null: Null = NO_NULL,
) -> Claim:
    """Make a claim about a quantity with an interval; it holds from `at_least` to `at_most`."""
    low, high = float(measured.low), float(measured.high)
    verdict = judge(low, high, at_least, at_most, *_ends(null))
    return Claim(
        claim, source, paper, float(measured.estimate), low, high, *_columns(null), n=measured.n, reproduced=verdict
    )


def of_number(
    claim: str,
    source: str,
    paper: str,
    value: float,
    n: int,
    *,
    at_least: float = -inf,
    at_most: float = inf,
    null: Null = NO_NULL,
) -> Claim:
    """Make a claim about a quantity without an interval, judged by its value alone."""
    point = np.asarray(value)
    judged = of_interval(
        claim, source, paper, Interval(point, point, point, n), at_least=at_least, at_most=at_most, null=null
    )
    return judged._replace(low=nan, high=nan)


def _ends(null: Null) -> tuple[float, float]:
    return float(null.interval.low), float(null.interval.high)


def _columns(null: Null) -> tuple[str, float, float, float]:
    return null.model, float(null.interval.estimate), *_ends(null)
