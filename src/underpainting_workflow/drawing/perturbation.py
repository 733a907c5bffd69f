"""Draw Fig. 22 B: gains of perturbations, measured and predicted."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import perturbation


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the gains of the main sampler."""
    return perturbation.perturbation(artifacts.load(files["perturbation"][0]).load(), config["label"])
