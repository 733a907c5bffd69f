"""Fig. 4 C and 12 C-E: errors of the Gaussian solution against samplers that start from the same noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from underpainting.plotting import curves, style
from underpainting.plotting.images import FloatArray

BINS = 100


@style.styled
def error(samplers: Mapping[str, xr.Dataset], variances: FloatArray) -> Figure:
    """Draw the squared error of the state (A), the endpoint estimate (B) and each component of the final image (C).

    Args:
        samplers: label to `state_error`, `endpoint_error` (sample, step), `component_error` (sample, component) and
            `sigma` (step); the main sampler, which alone has a band, first.
        variances: of the components.
    """
    figure = style.new_figure(2.9)
    left, middle, right = figure.subplots(1, 3)
    same = len({data.sizes["step"] for data in samplers.values()}) == 1
    for number, (label, data) in enumerate(samplers.items()):
        for axes, name in ((left, "state_error"), (middle, "endpoint_error")):
            line(axes, position(data, same), data[name].values, number == 0, label=label, **style.line_style(number))
        line(right, *binned(data["component_error"].values), number == 0, label=label, **style.line_style(number))
    for axes in (left, middle):
        axes.set(xlabel="sampler step" if same else "steps taken (%)", ylabel="mean squared error per pixel")
        noise_axis(axes, *next(iter(samplers.items())), same)
    components(right, variances)
    headings = ("State $x_t$", r"Endpoint estimate $\hat{x}_0$", "Final image")
    for axes, letter, heading in zip((left, middle, right), "ABC", headings, strict=True):
        axes.set_yscale("log")
        style.panel_title(axes, letter, heading, pad=27)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=min(5, len(samplers) + 1))
    return figure


def components(axes: Axes, variances: FloatArray) -> None:
    """Draw the data's variance along each component, in black, and label the axes."""
    seen = variances > 1e-8 * variances.max(initial=0.0)
    number = np.flatnonzero(seen) + 1
    axes.plot(number, variances[seen], color="black", ls="-", lw=0.8, label=r"variance $\lambda_k$")
    axes.set(xlabel="component $k$", ylabel="squared error along $u_k$", xscale="log")


def binned(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return component numbers and values, averaged over logarithmic bins if there are more than `BINS` components."""
    count = values.shape[1]
    edges = np.unique(np.geomspace(1, count, BINS).astype(int)) if count > BINS else np.arange(1, count + 1)
    widths = np.diff(np.append(edges, count + 1))
    return edges + (widths - 1) / 2, np.add.reduceat(values, edges - 1, axis=1) / widths


def position(data: xr.Dataset, same: bool) -> FloatArray:
    """Return the step numbers, or the percentage of steps taken if the samplers differ in their number of steps."""
    count = data.sizes["step"] - 1
    return np.linspace(0.0, count if same else 100.0, count + 1)


def line(axes: Axes, position: FloatArray, values: FloatArray, band: bool, **look: Any) -> None:
    """Draw a curve of means and, if requested, its band; zeros are left out on the logarithmic axis."""
    mean = values.mean(0)
    floor = 1e-9 * np.nanmax(mean, initial=0.0)
    shown = mean > floor
    kept = np.maximum(values[:, shown], floor)
    curves.curve(axes, position[shown], kept, band=band, **look)


def noise_axis(axes: Axes, label: str, data: xr.Dataset, same: bool) -> None:
    """Label the top axis with the noise scale of the main sampler."""
    place, sigma = position(data, same), data["sigma"].values
    axes.set_xlim(0, place[-1])
    top = axes.secondary_xaxis("top")
    chosen = np.unique(np.linspace(0, len(sigma) - 1, 5).round().astype(int))
    top.set_xticks(place[chosen], [f"{sigma[step]:.2f}" for step in chosen])
    top.set_xlabel(f"{style.SIGMA} of {label}", labelpad=3, fontsize="small")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
