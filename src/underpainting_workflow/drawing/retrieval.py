"""Draw distances of generated images to their nearest training images, and a few pairs."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts, shards
from underpainting.plotting import retrieval


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the distances, and the first images of the network beside their nearest training images."""
    actual = shards.load_first(files["trajectories"], min(config["gallery"], retrieval.MOST)).isel(step=-1)
    data = artifacts.load(files["retrieval"][0])
    nearest = artifacts.load(files["dataset"][0])["images"][data["nearest"][0, : actual.sizes["sample"]].values]
    seeds = actual["seed"].values.tolist()
    return retrieval.retrieval(data, actual["state"].values, nearest.values, seeds, config["labels"])
