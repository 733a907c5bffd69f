"""Wilcoxon's one-sided signed-rank test, for comparison with printed p values (Sec. 5)."""

from __future__ import annotations

import numpy as np

from underpainting.noise.levels import FloatArray


def p_value(differences: FloatArray) -> float:
    """Compute the one-sided p value of paired differences under the alternative that they are below 0.

    The distribution is exact for up to 50 pairs and normal for more, as in scipy; pairs without a difference are left out.

    Args:
        differences: first minus second, shape (sample,).
    """
    from scipy import stats  # takes a second to import

    differences = np.asarray(differences, np.float64)
    return float(stats.wilcoxon(differences, alternative="less").pvalue) if differences.any() else 1.0


def smallest_p_value(n: int) -> float:
    """Compute the smallest p value that n pairs can give, when all differences are below 0."""
    return p_value(-np.arange(1.0, n + 1))
