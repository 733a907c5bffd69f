"""Training on the residual of a Gaussian beside plain training, at equal training steps."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.plotting import style
from underpainting.teleport import sweep

LABELS = {"none": "plain training", "velocity": "Gaussian + network", "blend": "Gaussian and network blended"}


@style.styled
def residual(table: pd.DataFrame, extractor: str) -> Figure:
    """Draw Frechet distance (A) and loss (B) by training steps: a line of means per form, a point per training.

    Args:
        table: `form`, `seed`, `steps`, `fd`, `floor`, `loss`.
        extractor: name of the feature extractor.
    """
    figure = style.new_figure(2.8)
    distance = sweep.distance_name(extractor)
    left, right = figure.subplots(1, 2)
    for axes, value, letter, heading in (
        (left, "fd", "A", f"{distance}, lower is better"),
        (right, "loss", "B", "Loss on draws held out"),
    ):
        _lines(axes, table, value)
        style.panel_title(axes, letter, heading)
        axes.set(xscale="log", xlabel="training steps")
        style.decade_ticks(axes.xaxis)
    floor = float(table["floor"].mean())
    style.draw_floor(left, floor)
    style.log_y_axis(left, min(floor, float(table["fd"].min())), float(table["fd"].max()))
    left.set_ylabel(distance)
    right.set_ylabel("mean squared error of v")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _lines(axes: Axes, table: pd.DataFrame, value: str) -> None:
    for number, (form, rows) in enumerate(table.groupby("form", sort=False)):
        look = style.line_style(number)
        means = rows.groupby("steps")[value].mean()
        axes.plot(means.index, means, label=LABELS[str(form)], **look)
        axes.plot(rows["steps"], rows[value], ls="none", marker="o", ms=3, alpha=0.6, color=look["color"])
