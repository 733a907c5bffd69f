"""Names of the grids that spread a sampler's steps over a network's path. Imports nothing heavy."""

from __future__ import annotations

TIME, COVARIANCE = "time", "covariance"
GRIDS = {
    TIME: "evenly spaced in the network's own time",
    "karras": "evenly spaced in sigma^(1/7), the grid of Karras et al. (2022)",
    "log": "evenly spaced in the logarithm of sigma / alpha",
    "tangent": "evenly spaced in the angle arctan(sigma / alpha)",
    COVARIANCE: "dense where the components of the data's eigenbasis emerge from the noise",
}
"""What each grid is, by its name in studies, in the order of tables."""
