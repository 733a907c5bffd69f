"""Draw Fig. 25-26: the endpoint estimates of two trajectories, step by step."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import shards
from underpainting.plotting import endpoints


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the endpoint estimates of the seeds' trajectories."""
    estimates = {seed: shards.load_sample(files["trajectories"], seed)["endpoint"].values for seed in config["seeds"]}
    return endpoints.endpoints(estimates, config["label"])
