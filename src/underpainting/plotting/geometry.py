"""Fig. 10: distances of trajectories from a plane and from a rotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from underpainting.plotting import curves, style

FRACTION = 0.999
FAINT: dict[str, Any] = {"lw": 0.7, "alpha": 0.4, "linestyle": "-"}
APPROXIMATIONS = {
    "plane_step": ("C0", "projection onto the plane\nof $x_0$ and $x_T$"),
    "rotation_step": ("C1", r"rotation $\alpha_t x_0 + \sigma_t x_T$"),
}
POINTS = {
    "state": ("C0", "state $x_t$"),
    "difference": ("C1", "difference $x_{t-1} - x_t$"),
    "noise": ("C2", r"noise prediction $\hat{\epsilon}(x_t)$"),
}


@style.styled
def shape(samplers: Mapping[str, xr.Dataset]) -> Figure:
    """Draw the error of plane and rotation by step (A), and the variance that principal components leave over (B).

    Args:
        samplers: label to `plane_step`, `rotation_step` (sample, step), `explained_*` (sample, component) and `dim_*`
            (sample); the first is shown with bands, the others faintly.
    """
    figure = style.new_figure(3.0)
    left, right = figure.subplots(1, 2)
    (headline, main), *others = samplers.items()
    for _, data in others:
        _errors(left, data, faint=True)
        _spectra(right, data, faint=True)
    _errors(left, main)
    _spectra(right, main)
    left.set_ylim(bottom=0)
    for axes, place in ((left, "upper left"), (right, "upper right")):
        if others:
            axes.plot([], [], color=style.MUTED, **FAINT, label="the other samplers")
        axes.legend(title=headline, alignment="left", loc=place)
    style.panel_title(left, "A", "Error of two approximations of $x_t$")
    style.panel_title(right, "B", "Variance outside the leading PCs")
    return figure


def _errors(axes: Axes, data: xr.Dataset, faint: bool = False) -> None:
    """Draw squared error over squared norm along the sampling: mean and band over trajectories."""
    position = np.linspace(0, 100, data.sizes["step"])
    for name, (color, label) in APPROXIMATIONS.items():
        values = data[name].values
        look = FAINT if faint else {"linestyle": "-", "label": label}
        curves.curve(axes, position, values, band=not faint, color=color, **look)
    axes.set(xlabel="steps taken (%), noise to image", ylabel="error fraction of the squared norm", xlim=(0, 100))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))


def _spectra(axes: Axes, data: xr.Dataset, faint: bool = False) -> None:
    """Draw 1 - cumulative explained variance, mean over trajectories; a dot marks 99.9 % in the median trajectory."""
    needed = {name: float(np.median(data[f"dim_{name}"].values)) for name in POINTS}
    for name, (color, label) in POINTS.items():
        rest = 1 - data[f"explained_{name}"].values.mean(0)
        number = np.arange(1, len(rest) + 1)
        kept = rest > 1e-7
        if faint:
            axes.plot(number[kept], rest[kept], color=color, **FAINT)
            continue
        axes.plot(number[kept], rest[kept], color=color, linestyle="-", label=f"{label}: {needed[name]:g} PCs")
        at = np.interp(needed[name], number, rest)
        axes.plot(needed[name], at, "o", color=color, markeredgecolor="black", markeredgewidth=0.5, zorder=4)
    if not faint:
        _threshold(axes)
        axes.set(xlim=(0.5, 1.8 * max(needed.values()) + 3), ylim=(1e-5, 10))
    axes.set(yscale="log", xlabel="number of principal components (PCs)", ylabel="fraction of variance not explained")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _threshold(axes: Axes) -> None:
    axes.axhline(1 - FRACTION, color="black", lw=0.8, ls="--")
    place: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
        "ha": "right",
        "fontsize": "small",
    }
    axes.annotate(f"{100 * FRACTION:g} % explained", (1, 1 - FRACTION), (0, 2), **place)
