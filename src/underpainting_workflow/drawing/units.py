"""Draw how straight trajectories are in both units of the state."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import units
from underpainting_workflow.drawing import latents


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw one trajectory of two samplers, and the straightness of all of them."""
    paths = zip(config["pair"], files["trajectories"], strict=True)
    trajectories = {label: latents.example(file, config["place"], config["seed"]) for label, file in paths}
    both = zip(config["labels"], files["common"], files["of_data"], strict=True)
    shapes = {label: {"common": artifacts.load(one), "of_data": artifacts.load(other)} for label, one, other in both}
    return units.straightness(trajectories, shapes, config["heading"])
