"""A mean over samples with its band, drawn by seaborn.

Separate from `style`, because seaborn takes longer to import than matplotlib.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from underpainting.plotting.images import FloatArray

BAND = ("pi", 80)  # seaborn's percentile interval: from the 10th to the 90th


def curve(axes: Axes, position: FloatArray, values: FloatArray, *, band: bool, **look: Any) -> None:
    """Draw the mean over samples and the band that holds the middle 80 % of them.

    Args:
        position: shape (step,).
        values: shape (sample, step).
        band: whether to draw the band.
        look: colour, line style, label and other properties of the line.
    """
    sns.lineplot(
        x=np.tile(position, len(values)),
        y=values.ravel(),
        errorbar=BAND if band else None,
        err_kws={"alpha": 0.15, "lw": 0},
        ax=axes,
        legend=False,
        **look,
    )
