"""Compare the planner's choices with the best jumps of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from underpainting.teleport import planner, sweep
from underpainting.teleport.planner import Shortfall

MEASURES = {"": "fd_infinite", "autoencoder_": "autoencoder_fd_infinite", "network_": "rmse_to_network"}
"""Measures that judge the planner's choices, by the prefix of their columns; see `sweep.LOSSES`."""
COLUMNS = [
    *["sampler", "design", "grid", "jump", "planned"],
    *(f"{prefix}{name}" for prefix in MEASURES for name in ("best", "excess")),
    *["fd", "best_fd", "jump_loss", "step_loss", "cost"],
]


def compare(table: pd.DataFrame, shortfalls: Mapping[str, Shortfall], tolerance: float, calls: int) -> pd.DataFrame:
    """Compare the length of jump that the planner chooses with the best one, for each sampler, grid and jump of a sweep.

    The best length has the smallest value of a measure; in the design "truncate" no jump is a candidate, too. Frechet
    distances are extrapolated to infinitely many images and not counted below the floor.

    Args:
        table: as in `teleport.csv`, with `step_loss`: loss caused by the sampler's steps, nats (`discretisation.loss`).
        shortfalls: measured shortfalls, by jump.
        tolerance: nats per image that may be lost beyond the minimum.
        calls: network calls of the planner, over all its images.

    Returns:
        `COLUMNS`; `planned` and `best` as in `sweep.jump_lengths`; `cost` is the planner's calls over those of the sweep's
        rows with the same design.
    """
    table = table.assign(length=sweep.jump_lengths(table))
    swept = table[table["jump"] != sweep.NULL]
    spent = (swept["nfe"] * swept["n"]).groupby(swept["design"]).sum().to_dict()
    rows = []
    for (design, sampler, grid), group in table.groupby(["design", "sampler", "grid"], sort=False, dropna=False):
        for jump in [name for name in shortfalls if (group["jump"] == name).any()]:
            plain = group["skipped_steps"].eq(0) & group["design"].eq("truncate")
            chosen = _choice(group[(group["jump"] == jump) | plain], shortfalls[jump], tolerance)
            place = {"sampler": sampler, "design": design, "grid": grid, "jump": jump}
            rows.append({**place, **chosen, "cost": calls / spent[str(design)]})
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _choice(rows: pd.DataFrame, shortfall: Shortfall, tolerance: float) -> dict[str, Any]:
    """Return the row that the planner chooses, and the best one."""
    rows = rows.sort_values("length")
    ratios = rows["sigma"] / rows["alpha"]
    jumped = [
        planner.loss_at(shortfall, ratio) if length else 0.0
        for length, ratio in zip(rows["length"], ratios, strict=True)
    ]
    place = planner.furthest([a + b for a, b in zip(jumped, rows["step_loss"], strict=True)], tolerance)
    taken, found = rows.iloc[place], {prefix: _of_measure(rows, prefix, place) for prefix in MEASURES}
    distances = sweep.judged(rows)
    return {
        "planned": int(taken["length"]),
        **{f"{prefix}{name}": value for prefix, one in found.items() for name, value in one.items()},
        "fd": float(distances.iloc[place]),
        "best_fd": float(distances.min()),
        "jump_loss": jumped[place],
        "step_loss": float(taken["step_loss"]),
    }


def _of_measure(rows: pd.DataFrame, prefix: str, place: int) -> dict[str, float]:
    """Return the best length by a measure, and the relative excess of the planned one; NaN where it was not measured."""
    values = rows[MEASURES[prefix]] if prefix == "network_" else sweep.judged(rows, prefix)
    if values.isna().any():
        return {"best": float("nan"), "excess": float("nan")}
    best = int(values.to_numpy().argmin())
    return {"best": float(rows["length"].iloc[best]), "excess": float(values.iloc[place] / values.iloc[best] - 1)}
