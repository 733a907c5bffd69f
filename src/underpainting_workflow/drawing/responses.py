"""Draw Fig. 22: distances between perturbed and unperturbed images, and the geometry of perturbations."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import perturbation_grid


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the responses at every scale, along one component and at random."""
    data = {
        scale: artifacts.load(file).load()
        for scale, file in zip(config["guidance"], files["perturbation"], strict=True)
    }
    label = next(iter(data.values())).attrs["distance"]
    return perturbation_grid.responses(data, config["component"], label)
