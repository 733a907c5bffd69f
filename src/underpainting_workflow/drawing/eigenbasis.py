"""Draw the variance spectrum of the images, their mean and leading eigenvectors."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import spectrum


def draw(files: dict[str, list[str]], _: dict[str, Any]) -> Figure:
    """Draw variances, mean and leading eigenvectors; `emergence` has the frequencies of all components."""
    data = artifacts.load(files["eigenbasis"][0])
    shape = tuple(int(size) for size in data.attrs["image_shape"])
    vectors = data["vectors"][:, : spectrum.VECTORS].values.T.reshape(-1, *shape)
    mean, variances = data["mean"].values.reshape(shape), data["variances"].values
    frequency = artifacts.load(files["emergence"][0])["basis_frequency"].values
    return spectrum.eigenbasis(mean, vectors, variances, float(data["total_variance"]), frequency)
