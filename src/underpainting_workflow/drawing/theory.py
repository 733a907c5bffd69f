"""Draw Fig. 3: the closed form along the network's noise schedule."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.noise.levels import NoiseGrid
from underpainting.plotting import theory


def draw(files: dict[str, list[str]], _: dict[str, Any]) -> Figure:
    """Draw the four functions of the closed form for the study's range of variances."""
    levels = artifacts.load(files["schedule"][0])
    grid = NoiseGrid(levels["alpha"].values, levels["sigma"].values)
    return theory.theory(grid, artifacts.load(files["eigenbasis"][0])["variances"].values)
