"""Units of the state: a trajectory as x_t and as x_t / alpha_t, and how straight each is (App. B.8.1)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.analysis import geometry, statistics
from underpainting.plotting import style

UNITS = {"common": ("C0", "o", "$x_t$"), "of_data": ("C1", "s", r"$x_t / \alpha_t$")}


@style.styled
def straightness(
    trajectories: Mapping[str, xr.Dataset], shapes: Mapping[str, Mapping[str, xr.Dataset]], heading: str
) -> Figure:
    """Draw trajectories in both units in their plane (A), and the variance outside the first PC in both (B).

    Args:
        trajectories: sampler's label to one trajectory with `state` (step, ...) and `alpha` (step); two at most.
        shapes: sampler's label to `common` and `of_data`, each with `explained_state` (sample, component), `prompt` and `seed`.
        heading: of panel A.
    """
    figure = style.new_figure(3.3)
    left, right = figure.subplots(1, 2)
    for line, (label, one) in zip(("-", ":"), trajectories.items(), strict=False):
        states = one["state"].values.reshape(one.sizes["step"], -1).astype(np.float64)
        for unit, values in (("common", states), ("of_data", states / one["alpha"].values[:, None])):
            color, _, name = UNITS[unit]
            path = geometry.plane_coordinates(values) / np.linalg.norm(values[0])
            left.plot(path[:, 0], path[:, 1], color=color, ls=line, marker=".", ms=2.5, label=f"{label}: {name}")
    left.set(xlabel="along $x_T$, over the norm of the first state", ylabel="orthogonal, towards $x_0$, likewise")
    left.set_aspect("equal", adjustable="datalim")
    style.legend_below(left)
    style.panel_title(left, "A", heading)
    for unit, (color, marker, label) in UNITS.items():
        _outside(right, {name: data[unit] for name, data in shapes.items()}, color, marker, label)
    right.set_yticks(range(len(shapes)), list(shapes))
    right.invert_yaxis()
    right.set(xscale="log", xlabel="variance outside the first PC", ylabel="sampler")
    low, high = right.get_xlim()
    if high < 100 * low:  # else the decades suffice
        style.decade_ticks(right.xaxis)
    style.legend_below(right)
    style.panel_title(right, "B", "Straightness by units of the state")
    return figure


def _outside(axes: Axes, data: Mapping[str, xr.Dataset], color: str, marker: str, label: str) -> None:
    """Draw mean and 95 % interval of the variance outside the first component, a row per sampler."""
    for row, (name, shape) in enumerate(data.items()):
        values = 1 - shape["explained_state"].values[:, 0]
        clusters = [shape[factor].values for factor in ("prompt", "seed") if len(np.unique(shape[factor].values)) > 1]
        found = statistics.clip(statistics.clustered_interval(values, clusters), least=1e-7)
        mean = float(found.estimate)
        ends = np.maximum([[mean - found.low], [found.high - mean]], 0)
        text = label if name == next(iter(data)) else None
        axes.errorbar(mean, row, xerr=ends, fmt=marker, color=color, ms=4, capsize=1.5, elinewidth=0.8, label=text)
