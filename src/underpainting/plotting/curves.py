"""Curves of a mean over samples, with a band."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from underpainting.plotting.images import FloatArray

BAND = (10, 90)
"""Percentiles at the ends of a band."""


def mean_curve(axes: Axes, position: FloatArray, values: FloatArray, *, band: bool, **style: Any) -> None:
    """Draw the mean over samples and, if `band`, the range from the 10th to the 90th percentile.

    Args:
        axes: axes to draw into.
        position: shape (step,).
        values: shape (sample, step).
        band: whether to draw the band.
        style: colour, line style, label and other properties of the line.
    """
    ascending = np.ascontiguousarray(np.sort(np.asarray(values, np.float64), 0).T)
    (line,) = axes.plot(position, ascending.mean(1), **style)
    if band and len(values) > 1:
        axes.fill_between(position, *np.percentile(ascending, BAND, axis=1), color=line.get_color(), alpha=0.15, lw=0)
