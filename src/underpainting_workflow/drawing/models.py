"""Draw Fig. 4 D: errors of the theories."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import models


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the errors, a line per theory; the files are in the order of the labels."""
    names = [name for name in config["labels"] if name != "network"]
    errors = {name: artifacts.load(file) for name, file in zip(names, files["models"], strict=True)}
    return models.by_model(errors, config["labels"])
