"""Fig. 22: distance between perturbed and unperturbed images, time x strength (A), and its geometry (B)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from underpainting.plotting import manifold, prompts, style
from underpainting.plotting.images import FloatArray


@style.styled
def responses(data: Mapping[float, xr.Dataset], direction: int, distance: str) -> Figure:
    """Draw distances between images (A) and projections of state differences (B), along a component and at random.

    Args:
        data: for each scale of guidance `distance` (sample, step, direction, strength), `projection` (sample, step, direction,
            strength, time), `component` (direction; from 0, -1 for random), `perturbed_at` (step), `strength` and `size`
            (strength; the same in units of the state); `predicted` (sample, step, direction, time), the gain by theory, if known.
        direction: component that is drawn, from 0.
        distance: name of the distance between images.
    """
    figure = style.new_figure(0.6 + 1.75 * len(data) + 2.3)
    upper, lower = style.split_in_two(figure, 0.3 + 1.75 * len(data), 2.6)
    _heat_maps(upper, data, direction, distance)
    main = list(data)[-1]
    left, right = lower.subplots(1, 2)
    for axes, component, letter in ((left, direction, "B"), (right, -1, "")):
        _projections(axes, data[main], component)
        style.panel_title(axes, letter, f"{name_of(component)}, {prompts.guidance(main)}")
    return figure


def name_of(component: int) -> str:
    """Name a direction: a component, counted from 1 as in the paper, or a random one."""
    return "random direction" if component < 0 else f"PC{component + 1} of the noise predictions"


def of_component(data: xr.Dataset, component: int) -> xr.Dataset:
    """Select the directions of a component (-1: random ones), and average over them."""
    chosen = np.flatnonzero(data["component"].values == component)
    return data.isel(direction=chosen).mean("direction", keep_attrs=True)


def _heat_maps(figure: FigureBase, data: Mapping[float, xr.Dataset], direction: int, distance: str) -> None:
    rows = {
        scale: [of_component(values, one)["distance"].mean("sample").values for one in (direction, -1)]
        for scale, values in data.items()
    }
    grid = figure.subplots(len(data), 2, squeeze=False)
    for row, (scale, pair) in zip(grid, rows.items(), strict=True):
        most = max(values.max() for values in pair)
        for axes, values, component in zip(row, pair, (direction, -1), strict=True):
            drawn = _heat_map(axes, data[scale], values, most)
            letter = "A" if axes is grid[0, 0] else ""
            style.panel_title(axes, letter, f"{name_of(component)}, {prompts.guidance(scale)}")
        bar = figure.colorbar(drawn, ax=list(row), label=textwrap.fill(distance, 26), pad=0.02, aspect=14)
        bar.outline.set_visible(False)


def _heat_map(axes: Axes, data: xr.Dataset, values: FloatArray, most: float) -> AxesImage:
    """Draw one heat map; columns from negative to positive strengths, rows by time of the perturbation."""
    drawn = axes.imshow(values, style.sequential_colormap(), vmin=0, vmax=most, aspect="auto")
    steps, labels = data["perturbed_at"].values, manifold.strengths(data["strength"].values)
    kept = range(0, len(steps), max(1, len(steps) // 5))
    axes.set_yticks(list(kept), [str(steps[row]) for row in kept])
    axes.set_xticks(range(len(labels)), labels, fontsize="small")
    axes.set(xlabel="strength", ylabel="perturbed at step")
    axes.grid(False)
    return drawn


def _projections(axes: Axes, data: xr.Dataset, component: int) -> None:
    """Draw the mean projection per unit of perturbation along the sampling, a line per time of the perturbation."""
    chosen = of_component(data, component)
    gains = (chosen["projection"] / chosen["size"]).mean(("sample", "strength")).values
    steps = data["perturbed_at"].values
    shades = style.sequential_colormap()(np.linspace(0, 1, len(steps)))
    times = np.arange(data.sizes["time"])
    for row, (step, shade) in enumerate(zip(steps, shades, strict=True)):
        axes.plot(times[step:], gains[row, step:], color=shade, ls="-", lw=1.2)
        axes.plot(step, 1.0, "o", color=shade, ms=3)
        if "predicted" in chosen:
            predicted = chosen["predicted"].mean("sample").values[row, step:]
            axes.plot(times[step:], predicted, color="black", ls="--", lw=0.6)
    axes.axhline(0, color=style.MUTED, lw=0.6)
    axes.axhline(1, color=style.MUTED, lw=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set(xlabel="sampler step", ylabel="projection / perturbation")
