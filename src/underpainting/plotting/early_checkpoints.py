"""Early checkpoints: image quality with the closed form in place of the first steps, and without it."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.plotting import style
from underpainting.teleport import sweep


@style.styled
def early_checkpoints(table: pd.DataFrame, sampler: str, extractor: str) -> Figure:
    """Draw distance to the trained network's images (A) and Frechet distance (B) by training step, plain and with jump.

    Args:
        table: `training_step`, `skipped_steps`, `error`, `fd`, `floor`, `n`; the largest step is the trained network.
        sampler: its label.
        extractor: name of the feature extractor.
    """
    figure = style.new_figure(2.8)
    left, right = figure.subplots(1, 2)
    distance = sweep.distance_name(extractor)
    last = int(table["training_step"].max())
    for number, (skipped, rows) in enumerate(table.sort_values("training_step").groupby("skipped_steps")):
        label = sampler if skipped == 0 else f"teleport, {skipped} steps skipped"
        look = style.line_style(number) | {"marker": "o", "label": label}
        shown = rows[rows["error"] > 0]
        left.plot(shown["training_step"], shown["error"], **look)
        right.plot(rows["training_step"], rows["fd"], **look)
    alone = table[(table["skipped_steps"] == 0) & (table["training_step"] == last)]
    right.axhline(alone["fd"].iloc[0], color=style.MUTED, ls="--", lw=0.8, label="trained network alone")
    style.draw_floor(right, float(table["floor"].iloc[0]))
    _steps(left, last)
    _steps(right, last)
    style.log_y_axis(left, *_ends(table.loc[table["error"] > 0, "error"]))
    style.log_y_axis(right, *_ends(pd.concat([table["fd"], table["floor"]])))
    left.set_ylabel("mean squared error per pixel")
    right.set_ylabel(distance)
    style.panel_title(left, "A", "Difference from the trained network's images")
    style.panel_title(right, "B", f"{distance}, lower is better")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _ends(values: pd.Series) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _steps(axes: Axes, last: int) -> None:
    axes.set(xscale="log", xlabel=f"training step ({last}: the trained network)")
    style.decade_ticks(axes.xaxis)
