"""Distances of generated images to training images, a test for memorisation; the point cloud memorises all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from underpainting.plotting import images, style
from underpainting.plotting.images import FloatArray

LEAST, MOST = 8, 12
BASELINE = {"color": style.MUTED, "ls": ":", "lw": 1.6, "label": "training images, to the others"}


@style.styled
def retrieval(
    data: xr.Dataset, generated: FloatArray, nearest: FloatArray, seeds: Sequence[int], labels: Mapping[str, str]
) -> Figure:
    """Draw distances to the nearest training image (A), their ratio to the second-nearest (B), and a few pairs (C).

    Args:
        data: `distance`, `ratio` (origin, sample), `baseline_distance`, `baseline_ratio` (training); the attribute `origins`.
        generated, nearest: the network's images and their nearest training images, shape (sample, channel, height, width).
        seeds: of these.
        labels: of the origins.
    """
    columns = max(len(seeds), LEAST)
    heights = [2.85, images.grid_height(2, columns, 5.85) + 0.4]
    figure = style.new_figure(sum(heights))
    top, bottom = style.stack_subfigures(figure, heights)
    left, right = top.subplots(1, 2)
    _distributions(left, data, "distance", labels)
    _distributions(right, data, "ratio", labels)
    left.set_xlabel("root mean square distance per pixel (image units)")
    right.set(xlabel="distance to the nearest over that to the second", xlim=(-0.02, 1.02))
    style.panel_title(left, "A", "Distance to the nearest training image")
    style.panel_title(right, "B", "How special is the nearest?")
    top.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    axes = bottom.subplots()
    distances = data["distance"].values[0, : len(seeds)]
    names = [f"{seed}: {distance:.2f}" for seed, distance in zip(seeds, distances, strict=True)]
    images.draw_grid(axes, [generated, nearest], [images.wrap_label(labels["network"]), "nearest\nin training"], names)
    axes.set_xlim(right=columns - images.GAP / 2)
    style.panel_title(axes, "C", "Generated images above their nearest training images: seed, distance")
    return figure


def _distributions(axes: Axes, data: xr.Dataset, name: str, labels: Mapping[str, str]) -> None:
    """Draw the fraction of images below each value, a line per origin and one for training images."""
    lines = [style.model_style(origin) | {"label": labels[origin]} for origin in data.attrs["origins"]] + [BASELINE]
    for values, look in zip([*data[name].values, data[f"baseline_{name}"].values], lines, strict=True):
        axes.ecdf(values[np.isfinite(values)], **look)
    axes.set_ylabel("fraction of images below")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
