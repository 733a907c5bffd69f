"""Draw Fig. 10: the dimension of trajectories, and their distance from a rotation."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import geometry


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw all samplers, the main sampler first."""
    pairs = zip(config["labels"], files["geometry"], strict=True)
    return geometry.shape({label: artifacts.load(file) for label, file in pairs})
