"""Fraction of the network's score that the theories explain, by noise level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Interval
from underpainting.plotting import style
from underpainting.plotting.images import FloatArray

LOWEST = -0.1


def explained(residual: FloatArray, total: FloatArray) -> Interval:
    """Compute the fraction of the score's variance that a model explains, with its interval by resampling the images.

    Args:
        residual, total: shape (ratio, sample).

    Returns:
        arrays of shape (ratio,).
    """
    return statistics.confidence_interval(
        np.stack([residual, total], -1).swapaxes(0, 1), lambda mean: 1 - mean[:, 0] / mean[:, 1]
    )


@style.styled
def score(data: xr.Dataset, labels: Mapping[str, str], printed: Mapping[float, float]) -> Figure:
    """Draw the fraction explained (A) and the fraction left over (B) by noise level.

    Args:
        data: `residual` (ratio, model, sample), `total` (ratio, sample), `noise_to_signal` (ratio); the attribute `models`.
        labels: of the models to draw; the null model has none.
        printed: the authors' printed fractions for the Gaussian, by noise level; empty for none.
    """
    figure = style.new_figure(2.8)
    left, right = figure.subplots(1, 2)
    ratio, total = data["noise_to_signal"].values, data["total"].values
    for place, name in enumerate(data.attrs["models"]):
        if name not in labels:
            continue
        interval = explained(data["residual"].values[:, place], total)
        look = style.model_style(name) | {"label": labels[name]}
        _curve(left, ratio, interval.estimate, (interval.low, interval.high), **look)
        _curve(right, ratio, 1 - interval.estimate, (1 - interval.high, 1 - interval.low), **look)
    if printed:
        levels, values = np.array(list(printed)), np.array(list(printed.values()))
        look = {"color": style.model_style("gaussian")["color"], "mfc": "white", "ls": "none", "zorder": 4}
        left.plot(levels, values, "o", label="Gaussian, printed by the authors", **look)
        right.plot(levels, 1 - values, "o", **look)
    left.axhline(0, color=style.MUTED, lw=0.6)
    left.set(ylim=(max(LOWEST, left.get_ylim()[0]), 1.02), ylabel="score variance explained")
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    right.set(yscale="log", ylabel="fraction not explained")
    for axes, letter, heading in ((left, "A", "Explained"), (right, "B", "Left over")):
        axes.set(xscale="log", xlabel=r"noise level $\sigma_t\,/\,\alpha_t$")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        style.panel_title(axes, letter, heading)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _curve(axes: Axes, ratio: FloatArray, values: FloatArray, ends: tuple[FloatArray, FloatArray], **look: Any) -> None:
    axes.plot(ratio, values, marker=".", **look)
    axes.fill_between(ratio, *ends, color=look["color"], alpha=0.2, lw=0)
