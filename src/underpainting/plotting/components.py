"""Fig. 15: trajectories along single directions, on and off the manifold, with the closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from underpainting.plotting import style
from underpainting.plotting.images import FloatArray

COLUMNS = 4
TRAJECTORIES = 6


def spread(variances: FloatArray, count: int = 7) -> NDArray[np.int64]:
    """Choose components whose numbers grow geometrically, from the first to the last with variance.

    Args:
        variances: decreasing, shape (component,).
        count: largest number of components.
    """
    last = int((variances > 1e-9 * variances.max(initial=0.0)).sum())
    return np.unique(np.geomspace(1, max(last, 1), count).round().astype(np.int64)) - 1


@style.styled
def components(actual: FloatArray, predicted: FloatArray, variances: FloatArray, names: Sequence[str]) -> Figure:
    """Draw coefficients of the state by sampler step, a panel per direction: measured (coloured), closed form (dashed).

    Args:
        actual, predicted: v . (x_t - alpha_t mu), shape (sample, step, direction); at most six samples are shown.
        variances: of the data along each direction, shape (direction,).
        names: of the directions.
    """
    rows = -(-len(names) // COLUMNS)
    figure = style.new_figure(1.65 * rows + 0.4)
    grid = figure.subplots(rows, COLUMNS, sharex=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.remove()
            continue
        _direction(axes, actual[:TRAJECTORIES, :, place], predicted[:TRAJECTORIES, :, place])
        style.panel_title(axes, "", rf"$\lambda$ = {style.format_number(variances[place])}")
        axes.set_ylabel(names[place], labelpad=1)
        if place + COLUMNS >= len(names):
            axes.set_xlabel("sampler step")
            axes.tick_params(labelbottom=True)
    first = grid[0, 0]
    first.plot([], [], color=style.MUTED, ls="-", label="sampler, a colour per seed")
    first.plot([], [], color="black", ls=(0, (3, 2)), lw=0.9, label="closed form from the same start")
    figure.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _direction(axes: Axes, actual: FloatArray, predicted: FloatArray) -> None:
    steps = np.arange(actual.shape[1])
    for number, (real, theory) in enumerate(zip(actual, predicted, strict=True)):
        axes.plot(steps, real, color=style.line_style(number)["color"], ls="-", lw=1.8, alpha=0.6)
        axes.plot(steps, theory, color="black", ls=(0, (3, 2)), lw=0.9)
    axes.set_xlim(0, steps[-1])
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
