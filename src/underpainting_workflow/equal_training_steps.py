"""Compare forms of training at equal numbers of steps, seed by seed.

The seed of a training determines its initial weights, images, times and noise, so two forms with the same seed and
steps are a pair. Frechet distances early in training span decades, so pairs are compared by the geometric mean of their
ratios.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

PLAIN = "none"


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise each form and number of steps, in the order of the table.

    Args:
        table: a row per network, with `form`, `seed`, `steps`, `fd`, `floor`, `loss`.

    Returns:
        `form`, `steps`; `fd`, `loss`: means over seeds; `fd_min`, `fd_max`: over seeds; `floor`: distance of equally
        many real images; `ratio`: geometric mean over seeds of fd / fd of plain training with the same seed and steps;
        `ratio_min`, `ratio_max`: over seeds; `trainings`: number. Ratios are NaN where plain training is missing.
    """
    plain = table.loc[table["form"] == PLAIN, ["seed", "steps", "fd"]].rename(columns={"fd": "plain"})
    paired = table.merge(plain, how="left", on=["seed", "steps"])
    paired["ratio"] = paired["fd"] / paired["plain"]
    return paired.groupby(["form", "steps"], sort=False, as_index=False).agg(
        fd=("fd", "mean"),
        fd_min=("fd", "min"),
        fd_max=("fd", "max"),
        floor=("floor", "mean"),
        loss=("loss", "mean"),
        ratio=("ratio", _geometric_mean),
        ratio_min=("ratio", "min"),
        ratio_max=("ratio", "max"),
        trainings=("seed", "count"),
    )


def _geometric_mean(values: pd.Series) -> float:
    return float(np.exp(np.log(values.to_numpy(float)).mean()))
