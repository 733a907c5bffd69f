"""Fig. 1: the generation of one image in three views, among them the plane of its trajectory."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from underpainting.analysis import geometry
from underpainting.noise.levels import NoiseGrid
from underpainting.plotting import images, style
from underpainting.plotting.images import FloatArray

ROWS = ("state\n$x_t$", "difference\n$k\\,(x_{t-1} - x_t)$", "endpoint\nestimate $\\hat{x}_0(x_t)$")


@style.styled
def generation(trajectory: xr.Dataset, count: int) -> Figure:
    """Draw one trajectory in snapshots (A), in the plane of x_0 and x_T (B), and as weights of the two (C).

    Args:
        trajectory: one sample with `state`, `endpoint` (step, channel, height, width), `alpha` and `sigma` (step).
        count: number of snapshots.
    """
    chosen = images.choose_snapshots(trajectory.sizes["step"], count)
    upper, lower = images.grid_height(3, len(chosen), 5.6) + 0.5, 2.75
    figure = style.new_figure(upper + lower)
    top, bottom = style.split_in_two(figure, upper, lower)
    _watch(top.subplots(), trajectory, chosen)
    draw_plane_and_weights(bottom, trajectory)
    return figure


def draw_plane_and_weights(part: FigureBase, trajectory: xr.Dataset) -> None:
    """Draw a trajectory in the plane of x_0 and x_T (B) and as weights of the two (C); `trajectory` as in `generation`."""
    left, right = part.subplots(1, 2)
    states = np.asarray(trajectory["state"].values, np.float64).reshape(trajectory.sizes["step"], -1)
    grid = NoiseGrid(trajectory["alpha"].values, trajectory["sigma"].values)
    _plane(left, states, grid)
    _weights(right, states, grid)


def _watch(axes: Axes, trajectory: xr.Dataset, chosen: NDArray[np.int64]) -> None:
    states = trajectory["state"].values
    differences = np.diff(states, axis=0)[np.minimum(chosen, len(states) - 2)]
    rows = [states[chosen], images.scale_each(differences), trajectory["endpoint"].values[chosen]]
    images.draw_grid(axes, rows, ROWS, [str(step) for step in chosen])
    style.panel_title(axes, "A", "Three ways to watch a generation, by sampler step (0 is noise)")


def _plane(axes: Axes, states: FloatArray, grid: NoiseGrid) -> None:
    """Draw the trajectory and the ideal rotation, projected onto the plane of x_0 and x_T."""
    ideal = grid.alpha[:, None] * states[-1] + grid.sigma[:, None] * states[0]
    path = geometry.plane_coordinates(states)
    turned = geometry.plane_coordinates(np.concatenate([states[:1], ideal, states[-1:]]))[1:-1]
    arrow = {"arrowstyle": "-|>", "color": style.MUTED, "lw": 0.8, "shrinkA": 0, "shrinkB": 3}
    for (x, y), name, shift, side in ((path[0], "$x_T$", (6, 0), "left"), (path[-1], "$x_0$", (-6, 0), "right")):
        axes.annotate("", (x, y), (0, 0), arrowprops=arrow)
        axes.annotate(name, (x, y), shift, textcoords="offset points", ha=side, va="center", fontsize="large")
    axes.plot(0, 0, "+", color=style.MUTED)
    axes.plot(*turned.T, color="black", linestyle="--", lw=1, label=r"rotation $\alpha_t x_0 + \sigma_t x_T$")
    steps = np.arange(len(path))
    dots = axes.scatter(
        path[:, 0], path[:, 1], c=steps, cmap=style.sequential_colormap(), s=12, label="trajectory $x_t$", zorder=3
    )
    axes.margins(0.13, 0.1)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel="along $x_T$ (norm in image units)", ylabel="orthogonal, towards $x_0$")
    style.legend_below(axes)
    bar = axes.figure.colorbar(dots, ax=axes, label="sampler step", pad=0.02, aspect=25)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    style.panel_title(axes, "B", "In the plane of $x_0$ and $x_T$")


def _weights(axes: Axes, states: FloatArray, grid: NoiseGrid) -> None:
    """Draw least-squares weights of x_0 and x_T in every state, and the signal and noise scales."""
    fitted = np.linalg.lstsq(states[[-1, 0]].T, states.T, rcond=None)[0]
    steps = np.arange(len(states))
    names = (("C0", "$x_0$", style.ALPHA), ("C1", "$x_T$", style.SIGMA))
    for values, scale, (color, end, symbol) in zip(fitted, (grid.alpha, grid.sigma), names, strict=True):
        axes.plot(steps, values, color=color, linestyle="-", label=f"weight of {end} in $x_t$")
        axes.plot(steps, scale, color=color, linestyle="--", lw=1, label=f"{symbol} of the schedule")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set(xlabel="sampler step (noise to image)", ylabel="weight")
    style.legend_below(axes)
    style.panel_title(axes, "C", "Weights of $x_0$ and $x_T$")
