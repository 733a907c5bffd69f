"""Fig. 5 and 18: principal components of one trajectory of latents, decoded around its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from underpainting.plotting import images, style
from underpainting.plotting.images import FloatArray

SETS = {
    "state": "states $x_t$",
    "difference": r"differences $x_{t-1} - x_t$",
    "endpoint": r"endpoint estimates $\hat{x}_0(x_t)$",
    "noise": r"noise predictions $\hat{\epsilon}(x_t)$",
}
"""Names of sets of points of a trajectory, and their labels."""
_LABEL = 0.45  # inches for row labels


@style.styled
def components(decoded: xr.Dataset, sets: Sequence[str], count: int) -> Figure:
    """Draw images around the final image along the first components of sets of points, a panel per set (Fig. 18).

    Args:
        decoded: `around_image` (set, near, strength, channel, height, width), with the attribute `sets` (their names) and
            `strength` (in units of the norm of x_0).
        sets: names of the sets drawn.
        count: number of components.
    """
    columns = decoded.sizes["strength"]
    width = style.WIDTH / len(sets) - _LABEL
    figure = style.new_figure(images.grid_height(count, columns, width) + 0.65)
    all_axes = figure.subplots(1, len(sets), squeeze=False)[0]
    for axes, letter, name in zip(all_axes, "ABCD", sets, strict=False):
        rows = around(decoded, name)[:count]
        images.draw_grid(axes, list(rows), numbered(count), strengths(decoded["strength"].values))
        style.panel_title(axes, letter, f"PCs of {SETS[name]}", pad=14)
    return figure


@style.styled
def local_map(decoded: xr.Dataset, during: Mapping[int, xr.DataArray], label: str) -> Figure:
    """Draw the local map of the image manifold of one trajectory (Fig. 5).

    Args:
        decoded: of the trajectory: `around_image` as for `components`, `endpoint_image` (step, channel, height, width), and
            `plane_image` (row, column, channel, height, width), x_0 moved along two components of the endpoint estimates, with
            `plane_component` (axis).
        during: component of the noise predictions (from 0) to the images of perturbed trajectories, (step, strength, channel,
            height, width) with `strength` and `perturbed_at` (step); at most four of the steps are drawn.
        label: sampler, guidance and prompt.
    """
    count, columns = min(5, decoded.sizes["near"]), decoded.sizes["strength"]
    first = next(iter(during.values()))
    times = images.choose_snapshots(first.sizes["step"], 4)
    shown = images.choose_snapshots(decoded.sizes["step"], 10)
    side = decoded.sizes["row"]
    upper = images.grid_height(count, columns, 3.0) + 0.5
    middle = images.grid_height(1, len(shown), 6.3) + 0.4
    lower = images.grid_height(len(times), first.sizes["strength"], 3.0) + 0.6
    figure = style.new_figure(upper + middle + lower)
    figure.suptitle(label, fontsize="medium")
    top, centre, bottom = style.stack_subfigures(figure, [upper, middle, lower])
    left, right = top.subplots(1, 2)
    images.draw_grid(
        left, list(around(decoded, "endpoint")[:count]), numbered(count), strengths(decoded["strength"].values)
    )
    style.panel_title(left, "A", r"$x_0$ moved along PCs of $\hat{x}_0(x_t)$", pad=14)
    _plane(right, decoded, side)
    _endpoints(centre.subplots(), decoded["endpoint_image"].values[shown], shown)
    _during(bottom, {number: values[times] for number, values in during.items()})
    return figure


def around(decoded: xr.Dataset, name: str) -> FloatArray:
    """Return the images around x_0 along the components of a set, (component, strength, channel, height, width)."""
    return np.asarray(decoded["around_image"].values[list(decoded.attrs["sets"]).index(name)])


def vectors(decoded: xr.Dataset, name: str) -> FloatArray:
    """Return the decoded components of a set, (component, channel, height, width)."""
    return np.asarray(decoded["vector_image"].values[list(decoded.attrs["sets"]).index(name)])


def numbered(count: int) -> list[str]:
    """Label components; the paper counts from 1."""
    return [f"PC{number}" for number in range(1, count + 1)]


def strengths(values: Sequence[float] | FloatArray) -> list[str]:
    """Label strengths of a perturbation, with sign."""
    return ["0" if value == 0 else f"{value:+.2g}".replace("-", "−") for value in values]


def _plane(axes: Axes, decoded: xr.Dataset, side: int) -> None:
    first, second = decoded["plane_component"].values + 1
    labels = strengths(decoded["strength"].values)
    images.draw_grid(axes, list(decoded["plane_image"].values), labels[:side], labels)
    axes.set_ylabel(f"along PC{first}")
    style.panel_title(axes, "C", f"$x_0$ moved along PC{first} (rows) and PC{second}", pad=14)


def _endpoints(axes: Axes, values: FloatArray, steps: NDArray[np.int64]) -> None:
    images.draw_row(axes, list(values), [str(step) for step in steps], [False] * len(steps), len(steps))
    style.panel_title(axes, "B", r"Endpoint estimates $\hat{x}_0(x_t)$, by sampler step", pad=14)


def _during(part: FigureBase, during: Mapping[int, xr.DataArray]) -> None:
    all_axes = part.subplots(1, len(during), squeeze=False)[0]
    for axes, (component, values) in zip(all_axes, during.items(), strict=True):
        labels = strengths(values["strength"].values)
        images.draw_grid(axes, list(values.values), [str(step) for step in values["perturbed_at"].values], labels)
        axes.set_ylabel("perturbed at step")
        letter = "D" if axes is all_axes[0] else ""
        style.panel_title(axes, letter, f"$x_t$ perturbed along PC{component + 1}", pad=14)
