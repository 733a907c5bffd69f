"""Final error and divergence time of each trajectory, read from the artifact of a comparison with theory.

`underpainting.analysis.comparison` computes the errors with torch; this module reads them without torch.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from underpainting.noise.levels import FloatArray

DIVERGENCE_ERROR = 0.01
"""Mean squared error per pixel above which a theory counts as having diverged from the trajectory."""


def final_error(data: xr.Dataset) -> FloatArray:
    """Return the squared error of each final image, averaged over pixels.

    Args:
        data: a comparison's artifact, with `state_error` of shape (sample, step).

    Returns:
        shape (sample,), in squared image units.
    """
    return np.asarray(data["state_error"].values[:, -1], np.float64)


def divergence_time(data: xr.Dataset) -> FloatArray:
    """Return the fraction of steps after which each trajectory's error first exceeds `DIVERGENCE_ERROR`; 1 if it never does.

    Args:
        data: a comparison's artifact, with `state_error` of shape (sample, step).

    Returns:
        shape (sample,), in [0, 1].
    """
    beyond = data["state_error"].values > DIVERGENCE_ERROR
    first = np.where(beyond.any(1), beyond.argmax(1), beyond.shape[1] - 1)
    return first / (beyond.shape[1] - 1)
