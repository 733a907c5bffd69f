"""Wilcoxon's signed-rank test with one side, as p values that can be compared with printed ones (Sec. 5)."""

from __future__ import annotations

import numpy as np

from underpainting.noise.levels import FloatArray


def less(differences: FloatArray) -> float:
    """One-sided p value of paired differences: how likely so many below 0 are, if signs are a matter of chance.

    The exact distribution for up to 50 pairs, the normal one for more, as scipy has it; pairs without a difference are left out.

    Args:
        differences: first less second, shape (sample,).
    """
    from scipy import stats  # a second of start-up, which importing this need not pay

    differences = np.asarray(differences, np.float64)
    return float(stats.wilcoxon(differences, alternative="less").pvalue) if differences.any() else 1.0


def smallest(n: int) -> float:
    """The smallest p value that n pairs can give: all differences are below 0."""
    return less(-np.arange(1.0, n + 1))
