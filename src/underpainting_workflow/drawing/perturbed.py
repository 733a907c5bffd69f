"""Draw Fig. 19-21: the images of a trajectory that is perturbed along one direction, time x strength."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.plotting import perturbation_grid, perturbation_images
from underpainting_workflow.drawing import latents


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the images of the seed and the direction."""
    seed, component = config["case"]
    label = f"{perturbation_grid.name_of(component)}, {config['label']}, seed {seed}"
    return perturbation_images.perturbed(latents.case(files["images"][0], seed, component), label)
