"""Draw Fig. 4 B: images of a sampler, and the predictions of the theories from the same noise."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts, shards
from underpainting.plotting import comparison


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the images of the first seeds; the files of the theories are in the order of the labels."""
    data = shards.load_first(files["trajectories"], config["gallery"])
    states, seeds = data["state"], data["seed"].values.tolist()
    network, *theories = config["labels"].values()
    rows = {network: states.isel(step=-1).values}
    for label, file in zip(theories, files["models"], strict=True):
        rows[label] = artifacts.load(file)["image"][: len(seeds)].values
    return comparison.samples(states.isel(step=0).values, rows, seeds)
