"""Draw Fig. 1: one trajectory in three views, and in the plane of its first and last state."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import shards
from underpainting.plotting import generation


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the trajectory of the seed."""
    return generation.generation(shards.load_sample(files["trajectories"], config["seed"]), config["snapshots"])
