"""The planner's choices beside the best of a sweep, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from underpainting.teleportation import planner
from underpainting.teleportation.planner import Shortfall

COLUMNS = ["sampler", "design", "jump", "planned", "best", "fd", "best_fd", "excess", "ratio", "cost"]


def compare(sweep: pd.DataFrame, shortfalls: Mapping[str, Shortfall], wanted: float, calls: int) -> pd.DataFrame:
    """For each sampler and jump of a sweep, the skip that the planner takes and the best one.

    The planner takes the furthest skip of the sweep that is no further than it allows, or the nearest one if all are further.
    The best is the skip with the least Frechet distance, in the design "truncate" among all, no jump included.

    Args:
        sweep: as in `teleport.csv`.
        shortfalls: measured, by jump.
        wanted: nats per image that a jump may lose where steps are many.
        calls: network calls of the planner, over all its images.

    Returns:
        `COLUMNS`; `cost` is the planner's calls over those of the sweep's rows with the same design.
    """
    spent = (sweep["nfe"] * sweep["n"]).groupby(sweep["design"]).sum().to_dict()
    rows = []
    for (design, sampler), group in sweep.groupby(["design", "sampler"], sort=False):
        for jump in [name for name in shortfalls if (group["jump"] == name).any()]:
            candidates = group[(group["jump"] == jump) | (group["skip"].eq(0) & group["design"].eq("truncate"))]
            allowance = wanted if design == "truncate" else planner.allowed(wanted, int(candidates["nfe"].iloc[0]))
            chosen = _choice(candidates, planner.furthest(shortfalls[jump], allowance))
            rows.append(
                {"sampler": sampler, "design": design, "jump": jump, **chosen, "cost": calls / spent[str(design)]}
            )
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _choice(rows: pd.DataFrame, limit: float) -> dict[str, Any]:
    """The row that the planner takes, and the best one."""
    ratio = (rows["sigma"] / rows["alpha"]).to_numpy()
    within = np.flatnonzero(ratio >= limit * (1 - 1e-9))
    place = within[ratio[within].argmin()] if len(within) else int(ratio.argmax())
    taken, best = rows.iloc[place], rows.iloc[int(rows["fd"].to_numpy().argmin())]
    return {
        "planned": int(taken["skip"]),
        "best": int(best["skip"]),
        "fd": float(taken["fd"]),
        "best_fd": float(best["fd"]),
        "excess": float(taken["fd"] / best["fd"] - 1),
        "ratio": limit,
    }
