"""The planner's choices beside the best of a sweep, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from underpainting.teleportation import planner
from underpainting.teleportation.planner import Shortfall

COLUMNS = ["sampler", "design", "jump", "planned", "best", "fd", "best_fd", "excess", "jump_loss", "step_loss", "cost"]


def compare(sweep: pd.DataFrame, shortfalls: Mapping[str, Shortfall], wanted: float, calls: int) -> pd.DataFrame:
    """For each sampler and jump of a sweep, the skip that the planner takes and the best one.

    The best is the skip with the least Frechet distance, in the design "truncate" among all, no jump included.

    Args:
        sweep: as in `teleport.csv`, with `step_loss`: what the sampler's own steps lose, nats (`discretisation.loss`).
        shortfalls: measured, by jump.
        wanted: nats per image that may be lost beyond the least.
        calls: network calls of the planner, over all its images.

    Returns:
        `COLUMNS`; `cost` is the planner's calls over those of the sweep's rows with the same design.
    """
    spent = (sweep["nfe"] * sweep["n"]).groupby(sweep["design"]).sum().to_dict()
    rows = []
    for (design, sampler), group in sweep.groupby(["design", "sampler"], sort=False):
        for jump in [name for name in shortfalls if (group["jump"] == name).any()]:
            plain = group["skip"].eq(0) & group["design"].eq("truncate")
            chosen = _choice(group[(group["jump"] == jump) | plain], shortfalls[jump], wanted)
            rows.append(
                {"sampler": sampler, "design": design, "jump": jump, **chosen, "cost": calls / spent[str(design)]}
            )
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _choice(rows: pd.DataFrame, shortfall: Shortfall, wanted: float) -> dict[str, Any]:
    """The row that the planner takes, and the best one."""
    rows = rows.sort_values("skip")
    ratios = rows["sigma"] / rows["alpha"]
    jumped = [
        planner.loss_at(shortfall, ratio) if skip else 0.0 for skip, ratio in zip(rows["skip"], ratios, strict=True)
    ]
    place = planner.furthest([a + b for a, b in zip(jumped, rows["step_loss"], strict=True)], wanted)
    taken, best = rows.iloc[place], rows.iloc[int(rows["fd"].to_numpy().argmin())]
    return {
        "planned": int(taken["skip"]),
        "best": int(best["skip"]),
        "fd": float(taken["fd"]),
        "best_fd": float(best["fd"]),
        "excess": float(taken["fd"] / best["fd"] - 1),
        "jump_loss": jumped[place],
        "step_loss": float(taken["step_loss"]),
    }
