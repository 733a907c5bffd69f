"""One row of the table of claims."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Literal, NamedTuple

from underpainting.measures.statistics import Interval

OWN_GOAL = "own goal"
"""Source of a bound that is this project's, not the paper's."""

Verdict = Literal["yes", "no", "undecided"]


class Claim(NamedTuple):
    """A claim, what the paper gives for it, and what was measured; the columns of `claims.csv`.

    Attributes:
        claim: in words, with its bound.
        source: section, equation, table or figure of the paper; `OWN_GOAL` for a bound of our own.
        paper: the paper's own value, as printed; empty where it gives none.
        estimate: measured.
        low, high: ends of its 95 % interval; NaN where there is none.
        n: number of seeds, images or components behind it.
        reproduced: yes, no or undecided.
    """

    claim: str
    source: str
    paper: str
    estimate: float
    low: float
    high: float
    n: int
    reproduced: Verdict


def judge(low: float, high: float, at_least: float = -inf, at_most: float = inf) -> Verdict:
    """Does an interval lie within the bounds, outside of them, or neither?"""
    if isnan(low) or isnan(high):
        return "undecided"
    if low >= at_least and high <= at_most:
        return "yes"
    return "no" if high < at_least or low > at_most else "undecided"


def of_interval(
    claim: str, source: str, paper: str, measured: Interval, *, at_least: float = -inf, at_most: float = inf
) -> Claim:
    """A claim about a quantity with an interval."""
    low, high = float(measured.low), float(measured.high)
    verdict = judge(low, high, at_least, at_most)
    return Claim(claim, source, paper, float(measured.estimate), low, high, measured.n, verdict)


def of_number(
    claim: str, source: str, paper: str, value: float, n: int, *, at_least: float = -inf, at_most: float = inf
) -> Claim:
    """A claim about a quantity without an interval, judged by its value alone."""
    return Claim(claim, source, paper, value, nan, nan, n, judge(value, value, at_least, at_most))
