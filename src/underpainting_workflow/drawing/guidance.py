"""Draw Fig. 24: guidance and samplers in the geometry of trajectories."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import guidance
from underpainting_workflow.drawing import latents


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw dimensions of all samplers, steps of two, and the components of the main one at two scales."""
    shapes = _by_run(config["labels"], config["guidance"], map(artifacts.load, files["geometry"]))
    states = (latents.example(file, config["place"], config["seed"])["state"].values for file in files["trajectories"])
    walks = _by_run(config["pair"], config["guidance"], (np.reshape(one, (len(one), -1)) for one in states))
    decoded = {
        scale: artifacts.load(file).isel(sample=0).load()
        for scale, file in zip(config["scales"], files["views"], strict=True)
    }
    return guidance.geometry(shapes, walks, decoded, config["label"])


def _by_run(names: list[str], scales: list[float], values: Any) -> dict[str, dict[float, Any]]:
    """Arrange values that are listed by sampler, then by scale."""
    found: dict[str, dict[float, Any]] = {name: {} for name in names}
    for (name, scale), value in zip(product(names, scales), values, strict=True):
        found[name][scale] = value
    return found
