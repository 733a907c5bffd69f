"""Fig. 25-26: endpoint estimates as a dense table, step after step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.plotting import images, style
from underpainting.plotting.images import FloatArray

COLUMNS = 13
MOST = 4 * COLUMNS


@style.styled
def endpoints(estimates: Mapping[int, FloatArray], sampler: str) -> Figure:
    """Draw a panel per seed, wrapped into rows; evenly spaced steps if there are more than 52.

    Args:
        estimates: seed to x0_hat, shape (step, channel, height, width).
        sampler: its label.
    """
    steps = len(next(iter(estimates.values())))
    shown = np.arange(0, steps, -(-steps // MOST))
    if shown[-1] != steps - 1:
        shown = np.append(shown, steps - 1)
    rows = images.wrap_columns(len(shown), COLUMNS)
    height = len(rows) * (images.grid_height(1, COLUMNS, 6.6) + 0.15) + 0.32
    figure = style.new_figure(height * len(estimates))
    parts = style.stack_subfigures(figure, [height] * len(estimates))
    for part, letter, (seed, values) in zip(parts, "ABCDEFGH", estimates.items(), strict=False):
        stack = part.subplots(len(rows), 1, squeeze=False)[:, 0]
        for axes, row in zip(stack, rows, strict=True):
            _row(axes, values[shown[row]], [str(step) for step in shown[row]])
        heading = rf"Endpoint estimates $\hat{{x}}_0(x_t)$ of {sampler}, seed {seed}, by step (0 is noise)"
        style.panel_title(stack[0], letter if len(estimates) > 1 else "", heading)
    return figure


def _row(axes: Axes, values: FloatArray, steps: list[str]) -> None:
    images.draw_row(axes, list(values), steps, [False] * len(values), COLUMNS)
    axes.tick_params(labelsize=5.5, pad=1)
