"""Fig. 10: how flat the trajectories are, and how near to a rotation."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import geometry


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw all samplers, the headline sampler first."""
    pairs = zip(config["labels"], files["geometry"], strict=True)
    return geometry.shape({label: artifacts.load(file) for label, file in pairs})
