"""Fig. 10: how flat trajectories are, and how near to a rotation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from underpainting.figures import style
from underpainting.figures.images import FloatArray

BAND = (10, 90)
FRACTION = 0.999
POINTS = {
    "state": "state $x_t$",
    "difference": r"difference $x_{t-1} - x_t$",
    "noise": r"noise prediction $\hat{\epsilon}(x_t)$",
}


@style.styled
def shape(samplers: Mapping[str, xr.Dataset]) -> Figure:
    """Error of plane and rotation, step by step (A); variance that principal components leave over (B).

    Args:
        samplers: label to `plane_step`, `rotation_step` (sample, step), `explained_*` (sample, component) and `dim_*` (sample);
            the first is shown with bands, the others faintly.
    """
    figure = style.canvas(3.0)
    left, right = figure.subplots(1, 2)
    (headline, main), *others = samplers.items()
    for _, data in others:
        _errors(left, data, faint=True)
        _spectra(right, data, faint=True)
    _errors(left, main)
    _spectra(right, main)
    right.axhline(1 - FRACTION, color="black", lw=0.8, ls="--")
    right.annotate(
        "99.9 % explained",
        (1, 1 - FRACTION),
        (0, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize="small",
    )
    for axes in (left, right):
        if others:
            axes.plot([], [], color=style.MUTED, lw=0.7, alpha=0.6, linestyle="-", label="the other samplers")
        axes.legend(title=headline, alignment="left", loc="upper right")
    style.title(left, "A", r"Error of two approximations of $x_t$")
    style.title(right, "B", "Variance outside the leading PCs")
    return figure


def _errors(axes: Axes, data: xr.Dataset, faint: bool = False) -> None:
    """Squared error over squared norm along the sampling, mean and band over trajectories."""
    position = np.linspace(0, 100, data.sizes["step"])
    for name, color, label in (
        ("plane_step", "C0", "projection onto the plane\nof $x_0$ and $x_T$"),
        ("rotation_step", "C1", r"rotation $\alpha_t x_0 + \sigma_t x_T$"),
    ):
        values = data[name].values
        if faint:
            axes.plot(position, values.mean(0), color=color, lw=0.7, alpha=0.4, linestyle="-")
            continue
        axes.plot(position, values.mean(0), color=color, linestyle="-", label=label)
        axes.fill_between(position, *np.percentile(values, BAND, axis=0), color=color, alpha=0.15, lw=0)
    axes.set(xlabel="steps taken (%), noise to image", ylabel="error fraction of the squared norm", xlim=(0, 100))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def _spectra(axes: Axes, data: xr.Dataset, faint: bool = False) -> None:
    """1 - cumulative explained variance, mean over trajectories; a dot where the median trajectory reaches 99.9 %."""
    shown = 1
    for color, (name, label) in zip(("C0", "C1", "C2"), POINTS.items(), strict=True):
        left_over = 1 - data[f"explained_{name}"].values.mean(0)
        number = np.arange(1, len(left_over) + 1)
        keep = left_over > 1e-7
        needed = float(np.median(data[f"dim_{name}"].values))
        if faint:
            axes.plot(number[keep], left_over[keep], color=color, lw=0.7, alpha=0.4, linestyle="-")
            continue
        axes.plot(number[keep], left_over[keep], color=color, linestyle="-", label=f"{label}: {needed:g} PCs")
        axes.plot(
            needed,
            np.interp(needed, number, left_over),
            "o",
            color=color,
            markeredgecolor="black",
            markeredgewidth=0.5,
            zorder=4,
        )
        shown = max(shown, int(needed))
    axes.set(yscale="log", xlabel="number of principal components", ylabel="variance not explained")
    if not faint:
        axes.set(xlim=(0.5, 2.2 * shown + 3), ylim=(1e-5, 3))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
