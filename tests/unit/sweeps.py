"""Tables like `teleport.csv`, whose truth is known: distances fall with calls, jumps are better, each by a known factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scripts.tabulate_teleport import COLUMNS
from underpainting import samplers

JUMPS = {
    "none": "no jump",
    "gaussian": "Gaussian",
    "lowrank16": "low rank (16)",
    "mixture": "mixture",
    "samples": "own samples",
}
FACTORS = {"none": 1.0, "gaussian": 0.8, "lowrank16": 0.85, "mixture": 0.6, "samples": 0.82}
SKIPS = {"gaussian": (40, 70), "lowrank16": (40,), "mixture": (60, 80), "samples": (55,)}
PLAIN = 0.5
WIDTH = 0.03


def row(fd: float, **others: Any) -> dict[str, Any]:
    """A row with intervals of 3 % to each side."""
    scores = {
        "kid": fd / 100,
        "kid_std": fd / 900,
        "precision": 0.8,
        "recall": 0.7,
        "n": 500,
        "extractor": "classifier",
    }
    ends = {"fd": fd, "fd_low": (1 - WIDTH) * fd, "fd_high": (1 + WIDTH) * fd}
    return {**scores, **ends, "alpha": 0.5, "sigma": 0.9, **others}


def relative(name: str, value: float, spread: float = WIDTH) -> dict[str, float]:
    """A ratio with its interval."""
    return {name: value, f"{name}_low": value - spread, f"{name}_high": value + spread}


def truncated(sampler: str, losses: Mapping[int, float], steps: int = 50, per_step: int = 1) -> pd.DataFrame:
    """A sampler on its own grid: loss by skip, intervals 1 % wide to each side; nothing is known without a skip of 0."""
    rows = []
    for skip, loss in losses.items():
        known = relative("loss", loss, 0.01 if skip else 0.0) if 0 in losses else {}
        place = {"skip": skip, "nfe": per_step * (steps - skip), "sigma": 1 - skip / (steps + 5)}
        jump = "gaussian" if skip else "none"
        rows.append(row(PLAIN * (1 + loss), sampler=sampler, design="truncate", jump=jump, **place, **known))
    return pd.DataFrame(rows, columns=COLUMNS)


def regridded(
    solvers: Sequence[str], budgets: Sequence[int], jumps: Sequence[str] = tuple(JUMPS), reference: bool = True
) -> pd.DataFrame:
    """Few calls: the distance without a jump is 10 / NFE; the last skip of each jump is the best, by its factor."""
    rows = []
    for solver in solvers:
        for steps in sorted({samplers.steps_within(solver, budget) for budget in budgets}):
            calls = samplers.calls(solver, steps)
            for jump in jumps:
                for skip in SKIPS.get(jump, (0,)):
                    loss = FACTORS[jump] * (1.0 if skip == SKIPS.get(jump, (0,))[-1] else 1.1) - 1
                    fd = 10 / calls * (1 + loss)
                    behind = relative("behind", fd / PLAIN - 1) if reference else {}
                    place = {"sampler": f"{solver}-{steps}", "jump": jump, "skip": skip, "nfe": calls}
                    known = relative("loss", loss, WIDTH if skip else 0.0)
                    rows.append(row(fd, design="regrid", **place, **known, **behind))
        if reference:
            place = {"sampler": f"{solver}-50", "jump": "none", "skip": 0, "nfe": 50}
            same = {**relative("loss", 0.0, 0.0), **relative("behind", 0.0, 0.0)}
            rows.append(row(PLAIN, design="regrid", **place, **same))
    return pd.DataFrame(rows, columns=COLUMNS)
