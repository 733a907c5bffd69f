"""Draw Fig. 18: images around the final one along the components of states and of differences."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import manifold


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the components of the shown trajectory."""
    decoded = artifacts.load(files["views"][0]).load()
    return manifold.components(decoded, config["sets"], decoded.sizes["near"])
