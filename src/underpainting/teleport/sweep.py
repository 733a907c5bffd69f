"""Evaluation of the sweep's table (`results/STUDY/teleport.csv`): best jumps, skippable steps, Pareto front.

Images are compared by three measures, each as the relative increase that a jump causes (`LOSSES`): the Frechet distance in the
features of the study's extractor and in those of an autoencoder, which knows no labels, both at infinitely many images and
raised to the floor of real images; and the root mean squared difference from the network's own images. A jump is
free where all of them are within the tolerance.

In the design "re-grid" a sampler is `NAME-STEPS`; here `sampler_name` is its name alone. The best length of a jump is chosen by
the same images from which its distance is measured, so that the distance is a little too small: less so for fewer lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from underpainting.quality.extractors import INCEPTION
from underpainting.teleport import registry
from underpainting.theory import theories

TOLERANCE = 0.02
NO_JUMP, NULL = registry.NO_JUMP, theories.NULL
LOSSES = ("loss", "autoencoder_loss", "network_loss")
"""Relative increase of each measure by a jump: columns of the table, with their `_low` and `_high`."""


class Skippable(NamedTuple):
    """The largest number of skipped steps up to which none loses more than is tolerated.

    Attributes:
        skipped_steps: by the estimated losses.
        low, high: by the upper and lower ends of their intervals.
        nfe: network calls after `skipped_steps`.
        share, share_low, share_high: fraction of the network calls without a jump that the jumps save.
        n: number of images.
    """

    skipped_steps: int
    low: int
    high: int
    nfe: int
    share: float
    share_low: float
    share_high: float
    n: int


def distance_name(extractor: str) -> str:
    """Return the name of the Frechet distance in the features of an extractor."""
    return "FID" if extractor == INCEPTION else f"FD ({extractor})"


def measure_names(extractor: str) -> dict[str, str]:
    """Return the name of each measure, by its loss."""
    names = (distance_name(extractor), distance_name("autoencoder"), "difference from the network's own images")
    return dict(zip(LOSSES, names, strict=True))


def judged(rows: pd.DataFrame, prefix: str = "") -> pd.Series:
    """Return Frechet distances at infinitely many images, raised to the floor of real images.

    Args:
        rows: of the table.
        prefix: of the set of features, a key of `extractors.FEATURES`.
    """
    return rows[f"{prefix}fd_infinite"].clip(lower=rows[f"{prefix}floor_infinite"])


def truncated(table: pd.DataFrame, sampler: str, jump: str = "gaussian") -> pd.DataFrame:
    """Select the rows of a sampler on its own grid, with a jump and without one, ordered by the skipped steps.

    Args:
        table: the complete table.
        sampler: its id.
        jump: `gaussian`, or `isotropic` for the null model.
    """
    own = (table["design"] == "truncate") & (table["sampler"] == sampler)
    rows = table[own & table["jump"].isin([NO_JUMP, jump])].astype({"skipped_steps": int})
    return rows.sort_values("skipped_steps")


def jump_lengths(table: pd.DataFrame) -> pd.Series:
    """Return how far each row jumps: skipped steps, or the skipped percentage of the network's time for "re-grid"."""
    return table["skipped_steps"].fillna(table["skipped_percent"]).astype(int)


def skippable(rows: pd.DataFrame, losses: Sequence[str] = LOSSES, tolerance: float = TOLERANCE) -> Skippable | None:
    """Find the largest number of skipped steps up to which none loses more than is tolerated by any of some measures.

    Args:
        rows: of one sampler on its own grid, see `truncated`.
        losses: columns; empty ones, as the third is for stochastic samplers, are left out.
        tolerance: fraction of the measure without a jump.

    Returns:
        None if the sampler was not run without a jump, or none of the losses was measured.
    """
    rows = rows.sort_values("skipped_steps")
    known = [loss for loss in losses if rows[loss].notna().any()]
    if not (rows["skipped_steps"] == 0).any() or not known:
        return None
    calls = int(rows.loc[rows["skipped_steps"] == 0, "nfe"].iloc[0])
    last = {end: _last_within(rows, [f"{loss}{end}" for loss in known], tolerance) for end in ("", "_high", "_low")}
    shares = {end: (calls - int(row["nfe"])) / calls for end, row in last.items()}
    skipped, low, high = (int(last[end]["skipped_steps"]) for end in ("", "_high", "_low"))
    left, images = int(last[""]["nfe"]), int(rows["n"].min())
    return Skippable(skipped, low, high, left, shares[""], shares["_high"], shares["_low"], images)


def _last_within(rows: pd.DataFrame, columns: list[str], tolerance: float) -> pd.Series:
    """Return the last row up to which all are within the tolerance; that without a jump always is."""
    within = (rows[columns] <= tolerance).all(axis=1) | (rows["skipped_steps"] == 0)
    return rows[within.cummin()].iloc[-1]


def regridded(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the design "re-grid", with the column `sampler_name`, without the reference runs."""
    rows = _with_sampler_names(table)
    jumped = rows[rows["jump"] != NO_JUMP].set_index(["sampler_name", "nfe"]).index
    return rows[rows.set_index(["sampler_name", "nfe"]).index.isin(jumped)]


def references(table: pd.DataFrame) -> pd.DataFrame:
    """Select the plain runs that others are compared with, one per `sampler_name`; they differ from themselves by 0."""
    rows = _with_sampler_names(table)
    return rows[(rows[["behind", "behind_low", "behind_high"]] == 0).all(axis=1)]


def _with_sampler_names(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the design "re-grid", with the column `sampler_name`."""
    rows = table[table["design"] == "regrid"].astype({"skipped_percent": int})
    return rows.assign(sampler_name=rows["sampler"].str.split("-").str[0])


def best(rows: pd.DataFrame, by: Sequence[str] = ("sampler_name", "jump", "nfe")) -> pd.DataFrame:
    """Select the row with the least distance for each sampler, jump and number of calls, in the order of `rows`.

    Args:
        rows: of the design "re-grid", see `regridded`; of all grids.
        by: columns; with `skipped_percent` too, the best grid of each jump.
    """
    chosen = judged(rows).groupby([rows[name] for name in by]).idxmin()
    return rows.loc[chosen.sort_values()]


def winners(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the row with the least distance for each number of calls, over all samplers, grids and jumps."""
    return rows.loc[judged(rows).groupby(rows["nfe"]).idxmin()]


def within(rows: pd.DataFrame, nfe: int) -> pd.DataFrame:
    """Select, for each sampler, the rows with its largest number of calls up to `nfe`."""
    paid = rows[rows["nfe"] <= nfe]
    return paid[paid["nfe"] == paid.groupby("sampler_name")["nfe"].transform("max")]


def pareto(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the rows with a smaller distance than every row with as few calls, ordered by calls."""
    ordered = rows.assign(judged=judged(rows)).sort_values(["nfe", "judged"], kind="stable")
    before = ordered["judged"].cummin().shift()
    return ordered[~(ordered["judged"] >= before)].drop(columns="judged")
