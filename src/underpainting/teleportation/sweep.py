"""What the table of the sweep (`results/STUDY/teleport.csv`) says: best skips, what can be skipped, what nothing else beats.

Of the design "re-grid" a sampler is `NAME-STEPS`; here `solver` is its name alone. The best skip of a jump is chosen by the same
images that its distance is of, so that the distance is a little too good: less so, the fewer skips there are to choose from.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

TOLERANCE = 0.02


class Skippable(NamedTuple):
    """The largest skip that loses no more than is tolerated.

    Attributes:
        skip: steps.
        nfe: network calls that are left.
        share: of the network calls without a jump, that the jump saves.
        n: images behind it.
    """

    skip: int
    nfe: int
    share: float
    n: int


def distance_name(extractor: str) -> str:
    """What the Frechet distance in the features of an extractor is called."""
    return "FID" if extractor == "inception-v3-compat" else f"FD ({extractor})"


def truncated(table: pd.DataFrame, sampler: str) -> pd.DataFrame:
    """The rows of a sampler on its own grid, by the steps skipped."""
    chosen = (table["design"] == "truncate") & (table["sampler"] == sampler)
    return table[chosen].sort_values("skip")


def skippable(rows: pd.DataFrame, tolerance: float = TOLERANCE) -> Skippable | None:
    """The largest skip whose interval excludes a loss above the tolerance.

    Args:
        rows: of one sampler on its own grid, see `truncated`.
        tolerance: fraction of the Frechet distance without a jump.

    Returns:
        nothing, where the sampler was not run without a jump.
    """
    if not (rows["skip"] == 0).any():
        return None
    calls = int(rows.loc[rows["skip"] == 0, "nfe"].iloc[0])
    last = rows[rows["loss_high"] <= tolerance].sort_values("skip").iloc[-1]
    left = int(last["nfe"])
    return Skippable(int(last["skip"]), left, (calls - left) / calls, int(last["n"]))


def few_calls(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the design "re-grid" at the budgets that were swept, with the column `solver`; no reference runs."""
    rows = _regridded(table)
    jumped = rows[rows["jump"] != "none"].set_index(["solver", "nfe"]).index
    return rows[rows.set_index(["solver", "nfe"]).index.isin(jumped)]


def references(table: pd.DataFrame) -> pd.DataFrame:
    """The plain runs that the others are compared with, one per `solver`: each is exactly nothing behind itself."""
    rows = _regridded(table)
    return rows[(rows[["behind", "behind_low", "behind_high"]] == 0).all(axis=1)]


def _regridded(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["design"] == "regrid"]
    return rows.assign(solver=rows["sampler"].str.split("-").str[0])


def best(rows: pd.DataFrame) -> pd.DataFrame:
    """The row with the least distance for each solver, jump and number of calls, in the order of `rows`."""
    chosen = rows.groupby(["solver", "jump", "nfe"])["fd"].idxmin()
    return rows.loc[chosen.sort_values()]


def within(rows: pd.DataFrame, budget: int) -> pd.DataFrame:
    """For each solver, the rows with the most calls that a budget pays for."""
    paid = rows[rows["nfe"] <= budget]
    return paid[paid["nfe"] == paid.groupby("solver")["nfe"].transform("max")]


def pareto(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that no other beats with as few calls, by calls."""
    ordered = rows.sort_values(["nfe", "fd"], kind="stable")
    before = ordered["fd"].cummin().shift()
    return ordered[~(ordered["fd"] >= before)]
