"""The training loss of a study's own network."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import training


def draw(files: dict[str, list[str]], _: dict[str, Any]) -> Figure:
    """Draw the curve."""
    return training.loss(artifacts.load(files["losses"][0])["loss"].values)
