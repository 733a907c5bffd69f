"""Draw the training loss of the study's network."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import training


def draw(files: dict[str, list[str]], _: dict[str, Any]) -> Figure:
    """Draw the loss by step."""
    return training.loss(artifacts.load(files["losses"][0])["loss"].values)
