"""Forms of training compared at equal budgets: the same seeds, the same numbers of steps.

A training's seed decides its start weights, images, times and noise, so two forms of one seed and budget are a pair. Frechet
distances of young networks span decades, and so pairs are compared by their ratio, averaged as logarithms.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

PLAIN = "none"


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each form and budget, in the order of the table.

    Args:
        table: a row per network, with `form`, `seed`, `steps`, `fd`, `floor`, `loss`.

    Returns:
        `form`, `steps`; `fd`, `loss`: means over seeds; `fd_least`, `fd_most`: among seeds; `floor`: what as many real images
        have; `ratio`: geometric mean over seeds of fd / fd of plain training with the same seed and steps; `ratio_least`,
        `ratio_most`: among seeds; `trainings`. Ratios are NaN where plain training is missing.
    """
    plain = table.loc[table["form"] == PLAIN, ["seed", "steps", "fd"]].rename(columns={"fd": "plain"})
    paired = table.merge(plain, how="left", on=["seed", "steps"])
    paired["ratio"] = paired["fd"] / paired["plain"]
    return paired.groupby(["form", "steps"], sort=False, as_index=False).agg(
        fd=("fd", "mean"),
        fd_least=("fd", "min"),
        fd_most=("fd", "max"),
        floor=("floor", "mean"),
        loss=("loss", "mean"),
        ratio=("ratio", _geometric_mean),
        ratio_least=("ratio", "min"),
        ratio_most=("ratio", "max"),
        trainings=("seed", "count"),
    )


def _geometric_mean(values: pd.Series) -> float:
    return float(np.exp(np.log(values.to_numpy(float)).mean()))
