"""Draw Fig. 1 for latents: one trajectory decoded in three views, and in the plane of its first and last state."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import latent_generation
from underpainting_workflow.drawing import latents


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the trajectory of the prompt and seed; it is the first of the decoded ones."""
    trajectory = latents.example(files["trajectories"][0], config["place"], config["seed"])
    decoded = artifacts.load(files["views"][0]).isel(sample=0).load()
    return latent_generation.latent_generation(trajectory, decoded, config["snapshots"], config["prompt"])
