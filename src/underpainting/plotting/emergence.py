"""Emergence of components in the endpoint estimate: measured on trajectories, and by the closed form."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.plotting import style
from underpainting.plotting.images import FloatArray

CURVES = 5


@style.styled
def emergence(data: xr.Dataset) -> Figure:
    """Draw slopes by noise level (A), noise level at emergence, measured and predicted (B) and by frequency (C).

    Args:
        data: `slope`, `predicted_slope` (step, component), `measured_ratio`, `measured_low`, `measured_high`,
            `predicted_ratio`, `frequency`, `variance` (component), `rank_correlation` with `_low` and `_high`, `alpha`,
            `sigma` (step).
    """
    figure = style.new_figure(2.9)
    left, middle, right = figure.subplots(1, 3)
    shades = style.sequential_colormap()(np.linspace(0, 1, data.sizes["component"]))
    _slopes(left, data, shades)
    _ratios(middle, data, shades)
    _frequencies(right, data, shades)
    headings = ("Share of the image", "Noise level at emergence", "From coarse to fine")
    for axes, letter, heading in zip((left, middle, right), "ABC", headings, strict=True):
        style.panel_title(axes, letter, heading)
    return figure


def _slopes(axes: Axes, data: xr.Dataset, shades: FloatArray) -> None:
    """Draw measured (solid) and predicted (dashed) slopes of a few components against the noise-to-signal ratio."""
    with np.errstate(divide="ignore"):
        ratio = data["sigma"].values / data["alpha"].values
    finite = np.isfinite(ratio) & (ratio > 0)
    count = data.sizes["component"]
    for place in np.unique(np.linspace(0, count - 1, CURVES).round().astype(int)):
        axes.plot(
            ratio[finite],
            data["slope"].values[finite, place],
            color=shades[place],
            ls="-",
            label=f"$u_{{{place + 1}}}$",
        )
        axes.plot(ratio[finite], data["predicted_slope"].values[finite, place], color=shades[place], ls="--", lw=0.9)
    axes.axhline(0.5**0.5, color=style.MUTED, lw=0.7, ls=":")
    crossed = data["predicted_ratio"].values
    seen = (ratio >= crossed.min() / 20) & (ratio <= crossed.max() * 30) & finite
    axes.set(xscale="log", xlabel=r"$\sigma_t\,/\,\alpha_t$ (noise to image)", ylabel=r"slope $b_k$")
    if seen.sum() > 1:
        axes.set_xlim(ratio[seen].max(), ratio[seen].min())
    axes.set_ylim(top=1.35)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.legend(loc="upper left", handlelength=1.2, ncols=3, columnspacing=1.0)


def _ratios(axes: Axes, data: xr.Dataset, shades: FloatArray) -> None:
    predicted, measured = data["predicted_ratio"].values, data["measured_ratio"].values
    ends = np.abs([measured - data["measured_low"].values, data["measured_high"].values - measured])
    axes.errorbar(predicted, measured, ends, fmt="none", ecolor=style.MUTED, elinewidth=0.8, capsize=1.5)
    axes.scatter(predicted, measured, c=shades, s=14, lw=0.4, ec="black", zorder=3)
    values = np.concatenate([predicted, measured])
    low, high = np.nanmin(values) / 1.3, np.nanmax(values) * 1.3
    axes.plot([low, high], [low, high], color="black", ls="-", lw=0.8)
    axes.set(xscale="log", yscale="log", xlim=(low, high), xlabel=r"predicted, $\sqrt{\lambda_k}$", ylabel="measured")
    style.decade_ticks(axes.xaxis)
    style.decade_ticks(axes.yaxis)
    rank, ends_of_rank = (
        float(data["rank_correlation"]),
        [float(data[f"rank_correlation_{end}"]) for end in ("low", "high")],
    )
    text = f"rank correlation\n{rank:.3f} [{ends_of_rank[0]:.3f}, {ends_of_rank[1]:.3f}]"
    axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top", fontsize="small")


def _frequencies(axes: Axes, data: xr.Dataset, shades: FloatArray) -> None:
    """Draw noise level at emergence against spatial frequency: measured (dots) and predicted (circles)."""
    frequency = data["frequency"].values
    axes.scatter(
        frequency, data["measured_ratio"].values, c=shades, s=14, lw=0.4, ec="black", label="measured", zorder=3
    )
    axes.scatter(frequency, data["predicted_ratio"].values, s=20, lw=0.7, fc="none", ec=style.MUTED, label="predicted")
    axes.set(yscale="log", xlabel="frequency (cycles per image)", ylabel=r"$\sigma_t\,/\,\alpha_t$ at emergence")
    style.decade_ticks(axes.yaxis)
    axes.legend(loc="upper right", handletextpad=0.2)
