"""Draw Fig. 16: the sampler and the theories from the same noise, in images and in errors."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts, shards
from underpainting.plotting import models


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw endpoint estimates, images and errors of the first seeds; files of theories are in the order of labels."""
    actual = shards.load_first(files["trajectories"], min(config["gallery"], models.ROOM))
    names = [name for name in config["labels"] if name != "network"]
    theories = {name: artifacts.load(file) for name, file in zip(names, files["models"], strict=True)}
    seeds = actual["seed"].values.tolist()
    example = seeds.index(config["seed"]) if config["seed"] in seeds else 0
    endpoints = {"network": actual["endpoint"][example].values}
    finals = {"network": actual["state"].isel(step=-1).values}
    for name, data in theories.items():
        endpoints[name], finals[name] = data["endpoint"][example].values, data["image"][: len(seeds)].values
    nearest = artifacts.load(files["retrieval"][0])["nearest"][0, : len(seeds)].values
    finals["nearest"] = artifacts.load(files["dataset"][0])["images"][nearest].values
    labels = {**config["labels"], "nearest": "nearest neighbour"}
    return models.table(endpoints, finals, seeds, theories, labels, config["snapshots"])
