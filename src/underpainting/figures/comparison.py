"""Fig. 4 A-C and 12: the Gaussian solution beside a sampler that starts from the same noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from underpainting.figures import images, style
from underpainting.figures.images import FloatArray

BINS = 100


@style.styled
def endpoint(actual: FloatArray, predicted: FloatArray, sampler: str, count: int) -> Figure:
    """Endpoint estimates along one trajectory: the sampler's, the Gaussian solution's, their difference.

    Args:
        actual, predicted: x0_hat, shape (step, channel, height, width).
        sampler: its label.
        count: number of snapshots.
    """
    chosen = images.snapshots(len(actual), count)
    grey = actual.shape[1] == 1
    figure = style.canvas(images.grid_height(3, len(chosen), 5.55 if grey else 6.05) + 0.4)
    axes = figure.subplots()
    rows = [actual[chosen], predicted[chosen], actual[chosen] - predicted[chosen]]
    labels = [_wrapped(sampler), "Gaussian\nsolution", "difference" if grey else "difference\n(grey: none)"]
    drawn = images.grid(axes, rows, labels, [str(step) for step in chosen], [False, False, True])
    style.title(axes, "", r"Endpoint estimate $\hat{x}_0(x_t)$ by sampler step (0 is noise)")
    if grey:
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, aspect=22, pad=0.02, ticks=[-1, 0, 1])
        bar.set_label("difference (image units)")
        bar.outline.set_visible(False)
    return figure


@style.styled
def samples(noise: FloatArray, actual: FloatArray, predicted: FloatArray, seeds: Sequence[int], sampler: str) -> Figure:
    """Initial noise, the sampler's images and the Gaussian predictions, seed by seed.

    Args:
        noise, actual, predicted: shape (sample, channel, height, width).
        seeds: one per sample.
        sampler: its label.
    """
    parts = images.blocks(len(seeds))
    columns = parts[0].stop
    figure = style.canvas(len(parts) * (images.grid_height(3, max(columns, 5), 5.9) + 0.22) + 0.25)
    stacked = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    labels = ["noise $x_T$", _wrapped(sampler), "Gaussian\nsolution"]
    for axes, part in zip(stacked, parts, strict=True):
        images.grid(axes, [noise[part], actual[part], predicted[part]], labels, [str(seed) for seed in seeds[part]])
        axes.set_xlim(right=columns - images.GAP / 2)
    style.title(stacked[0], "", "Images from the same noise, by seed")
    return figure


def _wrapped(label: str) -> str:
    return label.replace(", ", ",\n")


@style.styled
def error(samplers: Mapping[str, xr.Dataset], variances: FloatArray) -> Figure:
    """Squared error of state (A), endpoint estimate (B) and, along each component, of the final image (C).

    Args:
        samplers: label to `state_error`, `endpoint_error` (sample, step), `component_error` (sample, component) and
            `sigma` (step); the headline sampler, which alone has a band, first.
        variances: of the components.
    """
    figure = style.canvas(2.9)
    left, middle, right = figure.subplots(1, 3)
    same = len({data.sizes["step"] for data in samplers.values()}) == 1
    for number, (label, data) in enumerate(samplers.items()):
        for axes, name in ((left, "state_error"), (middle, "endpoint_error")):
            _line(axes, _position(data, same), data[name].values, label, number)
        _line(right, *_binned(data["component_error"].values), label, number)
    for axes in (left, middle):
        axes.set(xlabel="sampler step" if same else "steps taken (%)", ylabel="mean squared error per pixel")
        _noise_axis(axes, *next(iter(samplers.items())), same)
    _components(right, variances)
    headings = ("State $x_t$", r"Endpoint estimate $\hat{x}_0$", "Final image")
    for axes, letter, heading in zip((left, middle, right), "ABC", headings, strict=True):
        axes.set_yscale("log")
        style.title(axes, letter, heading, pad=27)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=min(5, len(samplers) + 1))
    return figure


def _components(axes: Axes, variances: FloatArray) -> None:
    seen = variances > 1e-8 * variances.max(initial=0.0)
    number = np.flatnonzero(seen) + 1
    axes.plot(number, variances[seen], color="black", ls="-", lw=0.8, label=r"variance $\lambda_k$")
    axes.set(xlabel="component $k$", ylabel="squared error along $u_k$", xscale="log")


def _binned(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Component numbers and values; means over ever wider bins where there are more components than ink can show."""
    count = values.shape[1]
    edges = np.unique(np.geomspace(1, count, BINS).astype(int)) if count > BINS else np.arange(1, count + 1)
    widths = np.diff(np.append(edges, count + 1))
    return edges + (widths - 1) / 2, np.add.reduceat(values, edges - 1, axis=1) / widths


def _position(data: xr.Dataset, same: bool) -> FloatArray:
    count = data.sizes["step"] - 1
    return np.linspace(0.0, count if same else 100.0, count + 1)


def _line(axes: Axes, position: FloatArray, values: FloatArray, label: str, number: int) -> None:
    """A sampler's curve; zeros have no place on a logarithmic axis. The headline sampler, number 0, has a band."""
    mean = values.mean(0)
    floor = 1e-9 * np.nanmax(mean, initial=0.0)
    shown = mean > floor
    kept = np.maximum(values[:, shown], floor)
    style.curve(axes, position[shown], kept, band=number == 0, label=label, **style.look_of(number))


def _noise_axis(axes: Axes, label: str, data: xr.Dataset, same: bool) -> None:
    """The headline sampler's noise scale on top."""
    position, sigma = _position(data, same), data["sigma"].values
    axes.set_xlim(0, position[-1])
    top = axes.secondary_xaxis("top")
    chosen = np.unique(np.linspace(0, len(sigma) - 1, 5).round().astype(int))
    top.set_xticks(position[chosen], [f"{sigma[step]:.2f}" for step in chosen])
    top.set_xlabel(f"{style.SIGMA} of {label}", labelpad=3, fontsize="small")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
