"""Draw Fig. 5: the local map of the image manifold of one trajectory."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import manifold
from underpainting_workflow.drawing import latents


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the components of the shown trajectory, and perturbations along two components at some steps."""
    decoded = artifacts.load(files["views"][0]).isel(sample=0).load()
    cases = {number: latents.case(files["images"][0], config["seed"], number) for number in config["components"]}
    return manifold.local_map(decoded, cases, config["label"])
