"""Draw Fig. 4 C and 12 C-E: errors of the Gaussian solution compared with the samplers."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import errors


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the errors, a line per sampler."""
    pairs = zip(config["labels"], files["comparison"], strict=True)
    samplers = {label: artifacts.load(file) for label, file in pairs}
    return errors.error(samplers, artifacts.load(files["eigenbasis"][0])["variances"].values)
