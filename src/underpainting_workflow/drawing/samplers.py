"""Draw Fig. 23: images of every sampler and scale of guidance from the same noise."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import guidance


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the images of the examples."""
    data = artifacts.load(files["finals"][0])
    images = artifacts.require_range(data["image"], files["finals"][0]).load()
    headings = [f"seed {seed}, by guidance" for seed in data["example_seed"].values]
    return guidance.samples(images, data.attrs["labels"], data.attrs["scales"], headings, config["prompt"])
