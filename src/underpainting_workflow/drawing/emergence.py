"""Draw when components emerge, measured and predicted."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import emergence


def draw(files: dict[str, list[str]], _: dict[str, Any]) -> Figure:
    """Draw slopes and noise levels of the main sampler."""
    return emergence.emergence(artifacts.load(files["emergence"][0]))
