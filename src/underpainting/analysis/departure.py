"""What a comparison's artifact says of each seed: how far off its final image is, and when a theory left its trajectory.

`underpainting.analysis.comparison` makes the errors, with torch; whoever reads them needs none.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from underpainting.noise.levels import FloatArray

NOTICEABLE = 0.01
"""A mean squared error per pixel from which on a theory has left the trajectory."""


def final_error(data: xr.Dataset) -> FloatArray:
    """Squared error of each final image, mean over pixels, from a comparison's artifact; shape (sample,)."""
    return np.asarray(data["state_error"].values[:, -1], np.float64)


def departure(data: xr.Dataset) -> FloatArray:
    """Part of the steps after which each trajectory's error is noticeable for the first time; 1 if it never is."""
    beyond = data["state_error"].values > NOTICEABLE
    first = np.where(beyond.any(1), beyond.argmax(1), beyond.shape[1] - 1)
    return first / (beyond.shape[1] - 1)
