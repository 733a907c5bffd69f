"""The eigenbasis of a data set: its variances and its eigenvectors as images."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import PercentFormatter

from underpainting.plotting import images, style
from underpainting.plotting.images import FloatArray

VECTORS = 15
COLUMNS = 8


@style.styled
def eigenbasis(
    mean: FloatArray, vectors: FloatArray, variances: FloatArray, total_variance: float, frequency: FloatArray
) -> Figure:
    """Draw variance by component (A) and by frequency (B), explained variance (C), mean and leading eigenvectors (D).

    Args:
        mean: shape (channel, height, width), in [-1, 1].
        vectors: the leading ones as images, shape (component, channel, height, width).
        variances: of all components, decreasing.
        total_variance: that of the data.
        frequency: mean spatial frequency of each component, in cycles per image.
    """
    pictures = [mean, *images.scale_each(vectors[:VECTORS])]
    rows = -(-len(pictures) // COLUMNS)
    upper, lower = 2.1, rows * (images.grid_height(1, COLUMNS, 6.5) + 0.17) + 0.3
    figure = style.new_figure(upper + lower)
    top, bottom = style.split_in_two(figure, upper, lower)
    left, middle, right = top.subplots(1, 3)
    _spectrum(left, right, variances, total_variance)
    _frequencies(middle, frequency, variances)
    _vectors(bottom, pictures, variances / total_variance if total_variance > 0 else variances)
    return figure


def _spectrum(left: Axes, right: Axes, variances: FloatArray, total: float) -> None:
    number = np.arange(1, len(variances) + 1)
    positive = variances > variances.max(initial=0) * 1e-12
    marker = "." if len(variances) <= 100 else ""
    left.plot(number[positive], variances[positive], marker=marker, markersize=3)
    left.axhline(1, color=style.MUTED, lw=0.8, ls="--")
    left.annotate(
        "noise $x_T$",
        (1, 1),
        (0, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize="small",
        color=style.MUTED,
    )
    left.set(
        xscale="linear" if marker else "log",
        yscale="log",
        xlabel="component $k$",
        ylabel=r"variance $\lambda_k$ (image units$^2$)",
    )
    right.plot(
        number, np.cumsum(variances) / total if total > 0 else np.ones(len(variances)), marker=marker, markersize=3
    )
    right.set(xlabel="number of components", ylabel="explained variance", ylim=(0, 1.03), xscale="log")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    style.panel_title(left, "A", "Variance by component")
    style.panel_title(right, "C", "Explained variance")


def _frequencies(axes: Axes, frequency: FloatArray, variances: FloatArray) -> None:
    """Draw the power spectrum of the basis: a dot per component."""
    positive = variances > variances.max(initial=0) * 1e-12
    size = 6 if positive.sum() <= 200 else 1.5
    axes.scatter(frequency[positive], variances[positive], s=size, lw=0, rasterized=positive.sum() > 1000)
    axes.set(yscale="log", xlabel="mean frequency (cycles/image)")
    axes.set_ylabel(r"variance $\lambda_k$")
    style.panel_title(axes, "B", "Variance by frequency")


def _vectors(figure: FigureBase, pictures: list[FloatArray], fractions: FloatArray) -> None:
    labels = ["mean", *(rf"$u_{{{k + 1}}}$: {100 * fractions[k]:.1f} %" for k in range(len(pictures) - 1))]
    parts = [slice(start, start + COLUMNS) for start in range(0, len(pictures), COLUMNS)]
    stacked = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    for axes, part in zip(stacked, parts, strict=True):
        images.draw_row(axes, pictures[part], labels[part], [label != "mean" for label in labels[part]], COLUMNS)
    style.panel_title(
        stacked[0], "D", "Mean and leading eigenvectors (each scaled to its own range), with the variance explained"
    )
