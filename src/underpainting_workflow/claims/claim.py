"""One row of the table of claims."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Literal, NamedTuple

import numpy as np

from underpainting.analysis.statistics import Interval

PROJECT_TARGET = "project target"
"""Source of a bound that is this project's, not the paper's."""

Verdict = Literal["yes", "no", "undecided", "trivial"]


class Null(NamedTuple):
    """What a claim's quantity is for a model that knows nothing of what the claim is about.

    Attributes:
        model: in words.
        interval: of the quantity; an exact number has equal ends.
    """

    model: str
    interval: Interval


NO_NULL = Null("", Interval(np.asarray(nan), np.asarray(nan), np.asarray(nan), 0))
"""Of a claim without a null model."""


class Claim(NamedTuple):
    """A claim, what the paper gives for it, and what was measured; the columns of `claims.csv`.

    Attributes:
        claim: in words, with its bound.
        source: section, equation, table or figure of the paper; `PROJECT_TARGET` for a bound of this project.
        paper: the paper's own value, as printed; empty where it gives none.
        estimate: measured.
        low, high: ends of its 95 % interval; NaN where there is none.
        null_model: what the quantity is compared with, in words; empty where there is nothing.
        null: the same quantity for the null model.
        null_low, null_high: ends of its 95 % interval, equal where it is exact; NaN without a null model.
        n: number of seeds, images or components behind it.
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
    """A null model whose value is known without error."""
    return known(model, value, value, value)


def known(model: str, value: float, low: float, high: float) -> Null:
    """A null model whose value and interval are known without data."""
    return Null(model, Interval(np.asarray(float(value)), np.asarray(float(low)), np.asarray(float(high)), 0))


def judge(
    low: float,
    high: float,
    at_least: float = -inf,
    at_most: float = inf,
    null_low: float = nan,
    null_high: float = nan,
) -> Verdict:
    """Does an interval lie within the bounds, and does that say anything?

    In this order: `no` where all of it lies outside of the bounds; `undecided` where it straddles one; `trivial` where all of the
    null's interval lies within the bounds too, so that the bound refutes nothing; `undecided` where the two intervals overlap, or
    where no null model was measured; `yes` else.

    Args:
        low, high: the interval; twice the estimate for a number without one. A NaN leaves the claim undecided.
        at_least, at_most: the bounds, which belong to what is allowed.
        null_low, null_high: the null's interval; a NaN stands for no null.
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
    """A claim about a quantity with an interval."""
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
    """A claim about a quantity without an interval, judged by its value alone."""
    verdict = judge(value, value, at_least, at_most, *_ends(null))
    return Claim(claim, source, paper, value, nan, nan, *_columns(null), n=n, reproduced=verdict)


def _ends(null: Null) -> tuple[float, float]:
    return float(null.interval.low), float(null.interval.high)


def _columns(null: Null) -> tuple[str, float, float, float]:
    return null.model, float(null.interval.estimate), *_ends(null)
