"""Draw Fig. 27-28: the decoded endpoint estimates of two trajectories, step by step."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import endpoints


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the endpoint estimates of the seeds' trajectories."""
    data = artifacts.load(files["views"][0])
    images = artifacts.require_range(data["endpoint_image"], files["views"][0])
    places = {int(seed): place for place, seed in enumerate(data["seed"].values)}
    estimates = {seed: images[places[seed]].values for seed in config["seeds"]}
    return endpoints.endpoints(estimates, config["label"])
