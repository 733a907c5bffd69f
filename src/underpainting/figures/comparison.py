"""Fig. 4 A-C and 12: the Gaussian solution beside a sampler that starts from the same noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from underpainting.figures import images, style
from underpainting.figures.images import FloatArray

BAND = (10, 90)


@style.styled
def endpoint(actual: FloatArray, predicted: FloatArray, sampler: str, count: int) -> Figure:
    """Endpoint estimates along one trajectory: the sampler's, the Gaussian solution's, their difference.

    Args:
        actual, predicted: x0_hat, shape (step, channel, height, width).
        sampler: its label.
        count: number of snapshots.
    """
    chosen = images.snapshots(len(actual), count)
    figure = style.canvas(images.grid_height(3, len(chosen), 5.3) + 0.45)
    axes = figure.subplots()
    rows = [actual[chosen], predicted[chosen], actual[chosen] - predicted[chosen]]
    labels = [_wrapped(sampler), "Gaussian\nsolution", "difference"]
    drawn = images.grid(axes, rows, labels, [str(step) for step in chosen], [False, False, True])
    style.title(axes, "", r"Endpoint estimate $\hat{x}_0(x_t)$ by sampler step (0 is noise)")
    if actual.shape[1] == 1:
        bar = figure.colorbar(
            drawn, ax=axes, label="difference (image units)", shrink=0.8, aspect=22, pad=0.02, ticks=[-1, 0, 1]
        )
        bar.outline.set_visible(False)
    else:
        axes.set_xlabel("difference: zero is mid-grey", loc="left", fontsize="small")
    return figure


@style.styled
def samples(noise: FloatArray, actual: FloatArray, predicted: FloatArray, seeds: list[int], sampler: str) -> Figure:
    """Initial noise, the sampler's images and the Gaussian predictions, seed by seed.

    Args:
        noise, actual, predicted: shape (sample, channel, height, width).
        seeds: one per sample.
        sampler: its label.
    """
    parts = images.blocks(len(seeds))
    columns = parts[0].stop
    figure = style.canvas(len(parts) * (images.grid_height(3, columns, 5.9) + 0.22) + 0.25)
    stacked = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    for axes, part in zip(stacked, parts, strict=True):
        rows = [noise[part], actual[part], predicted[part]]
        images.grid(
            axes, rows, ["noise $x_T$", _wrapped(sampler), "Gaussian\nsolution"], [str(seed) for seed in seeds[part]]
        )
        axes.set_xlim(right=columns - images.GAP / 2)
    style.title(stacked[0], "", "Images from the same noise, by seed")
    return figure


def _wrapped(label: str) -> str:
    return label.replace(", ", ",\n")


@style.styled
def error(samplers: Mapping[str, xr.Dataset], variances: FloatArray) -> Figure:
    """Squared error of state (A), endpoint estimate (B) and, per component, of the final image (C).

    Args:
        samplers: label to `state_error`, `endpoint_error` (sample, step), `component_error` (sample, component), `sigma` (step);
            the headline sampler first.
        variances: of the components.
    """
    figure = style.canvas(2.9)
    left, middle, right = figure.subplots(1, 3)
    steps = {data.sizes["step"] for data in samplers.values()}
    for label, data in samplers.items():
        position = _position(data, len(steps) == 1)
        _line(left, position, data["state_error"].values, label)
        _line(middle, position, data["endpoint_error"].values, label)
        _line(right, np.arange(1, data.sizes["component"] + 1), data["component_error"].values, label)
    for axes in (left, middle):
        axes.set_xlabel("sampler step" if len(steps) == 1 else "steps taken (%)")
        _noise_axis(axes, next(iter(samplers.values())), len(steps) == 1)
    right.plot(
        np.arange(1, len(variances) + 1),
        np.where(variances > 0, variances, np.nan),
        color="black",
        ls="-",
        lw=0.8,
        label=r"variance $\lambda_k$",
    )
    right.set(xlabel="component $k$", ylabel=r"squared error along $u_k$", xscale="log")
    left.set_ylabel("mean squared error per pixel")
    for axes, letter, text in zip(
        (left, middle, right), "ABC", ("State $x_t$", r"Endpoint estimate $\hat{x}_0$", "Final image"), strict=True
    ):
        axes.set_yscale("log")
        style.title(axes, letter, text)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=min(5, len(samplers) + 1))
    return figure


def _position(data: xr.Dataset, same: bool) -> FloatArray:
    count = data.sizes["step"] - 1
    return np.arange(count + 1) * (1.0 if same else 100.0 / count)


def _line(axes: Axes, position: FloatArray, values: FloatArray, label: str) -> None:
    """Mean over samples and the band of its 10th to 90th percentile; zeros have no place on a logarithmic axis."""
    mean = values.mean(0)
    low, high = np.percentile(values, BAND, axis=0)
    floor = 1e-9 * np.nanmax(mean, initial=0.0)
    shown = mean > floor
    (line,) = axes.plot(position[shown], mean[shown], label=label)
    axes.fill_between(
        position[shown], np.maximum(low, floor)[shown], high[shown], color=line.get_color(), alpha=0.15, lw=0
    )


def _noise_axis(axes: Axes, data: xr.Dataset, same: bool) -> None:
    """The headline sampler's noise scale on top."""
    position, sigma = _position(data, same), data["sigma"].values
    top = axes.secondary_xaxis("top")
    chosen = np.linspace(0, len(sigma) - 1, 5).round().astype(int)
    top.set_xticks(position[chosen], [f"{sigma[step]:.2f}" for step in chosen])
    top.set_xlabel(style.SIGMA, labelpad=2)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
