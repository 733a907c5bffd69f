"""Draw Fig. 12-14: the Gaussian solution compared with the sampler, in images and in errors."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts, shards
from underpainting.plotting import validation


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw endpoint estimates, images and errors of the sampler and of the Gaussian."""
    actual = shards.load_first(files["trajectories"], min(config["gallery"], validation.MOST))
    seeds, data = actual["seed"].values.tolist(), artifacts.load(files["gaussian"][0])
    example = seeds.index(config["seed"]) if config["seed"] in seeds else 0
    return validation.validation(
        (actual["endpoint"][example].values, data["endpoint"][example].values),
        (actual["state"].isel(step=-1).values, data["image"][: len(seeds)].values),
        seeds,
        data,
        artifacts.load(files["eigenbasis"][0])["variances"].values,
        config["labels"],
        config["snapshots"],
    )
