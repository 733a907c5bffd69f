"""Fig. 17: image quality against network calls, when a sampler's first steps are skipped."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.plotting import style
from underpainting.teleport import sweep

LIMIT = "#D55E00"
LOSSES, LARGE_LOSSES = (0.02, 0.1, 0.5, 2.0), (0.02, 0.2, 2.0, 20.0, 200.0, 2000.0)
LETTERS = "ABCDEFGHIJKLMNOP"


@style.styled
def skipping(table: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw Frechet distance (n to infinity) by network calls, and losses below it; a pair of panels per sampler.

    Args:
        table: `teleport.csv`; losses may be missing (NaN).
        labels: sampler to its label, in the order to be shown.
    """
    columns = min(len(labels), 2 if len(labels) < 5 else 3)
    rows = -(-len(labels) // columns)
    compared = bool(table["loss"].notna().any())
    each = 2 if compared else 1
    figure = style.new_figure(0.3 + rows * (3.0 if compared else 2.2) * (0.85 if rows > 2 else 1.0))
    grid = figure.subplots(each * rows, columns, squeeze=False, height_ratios=[3, 2][:each] * rows)
    distance = sweep.distance_name(str(table["extractor"].iloc[0]))
    for number, (sampler, label) in enumerate(labels.items()):
        row, column = divmod(number, columns)
        panels = list(grid[each * row : each * (row + 1), column])
        chosen = sweep.truncated(table, sampler)
        _distances(panels[0], chosen, distance)
        if compared:
            _losses(panels[1], chosen)
            panels[1].sharex(panels[0])
            panels[0].tick_params(labelbottom=False)
        _calls(panels, chosen, 0.11 if columns < 3 else 0.18)
        style.panel_title(panels[0], LETTERS[number] if len(labels) > 1 else "", label)
    for place in range(len(labels), rows * columns):
        for axes in grid[each * (place // columns) :, place % columns]:
            axes.set_axis_off()
    _legend(figure, grid[0, 0], str(table["extractor"].iloc[0]))
    return figure


def _points(axes: Axes, rows: pd.DataFrame, column: str, loss: str, number: int = 0) -> None:
    """Draw a curve with its intervals; a ring marks the most skipped steps up to which a loss is within the tolerance."""
    look = style.line_style(number)
    axes.plot(rows["nfe"], rows[column], marker="o", markeredgewidth=0, **look)
    axes.vlines(rows["nfe"], rows[f"{column}_low"], rows[f"{column}_high"], color=look["color"], lw=0.8)
    found = sweep.skippable(rows, [loss])
    if found and found.low:
        chosen = rows[rows["skipped_steps"] == found.low]
        axes.plot(chosen["nfe"], chosen[column], "o", ms=8, mfc="none", mec="black", mew=0.9)


def _distances(axes: Axes, rows: pd.DataFrame, distance: str) -> None:
    _points(axes, rows, "fd_infinite", "loss")
    real = float(rows["floor_infinite"].iloc[0])
    style.draw_floor(axes, real)
    if (alone := sweep.judged(rows[rows["skipped_steps"] == 0])).size:
        axes.axhline(alone.iloc[0], color=style.MUTED, ls="--", lw=0.8)
        axes.axhline((1 + sweep.TOLERANCE) * alone.iloc[0], color=LIMIT, ls=":", lw=0.9)
    style.scale_y_axis(axes, *(np.append(rows[f"fd_infinite{end}"], real) for end in ("", "_low", "_high")))
    axes.set_ylabel(distance)


def _losses(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw losses in per cent, on an axis that is linear up to the tolerance."""
    known = [loss for loss in sweep.LOSSES if rows[loss].notna().any()]
    for loss in known:
        _points(axes, rows, loss, loss, sweep.LOSSES.index(loss))
    axes.axhline(0, color=style.MUTED, ls="--", lw=0.8)
    axes.axhline(sweep.TOLERANCE, color=LIMIT, ls=":", lw=0.9)
    axes.set_yscale("symlog", linthresh=sweep.TOLERANCE)
    low = np.nanmin(rows[[f"{loss}_low" for loss in known]], initial=-0.02)
    high = np.nanmax(rows[[f"{loss}_high" for loss in known]], initial=0.02)
    sizes = LOSSES if high < 2 * LOSSES[-1] else LARGE_LOSSES
    ticks = [0.0, *(size for size in sizes if size <= 1.2 * high), *(-size for size in sizes if size <= -1.2 * low)]
    axes.set_yticks(ticks, [f"{100 * tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(2 * low, 1.4 * high)
    axes.set_ylabel("loss in %")


def _calls(panels: list[Axes], rows: pd.DataFrame, apart: float) -> None:
    """Label the bottom axis with network calls, the top axis with skipped steps and the noise scale at the jump."""
    ticks = rows.sort_values("nfe")
    ticks = ticks.iloc[style.thin_labels(ticks["nfe"].to_list(), apart)]
    panels[-1].set_xticks(ticks["nfe"], [str(calls) for calls in ticks["nfe"]])
    panels[-1].set_xlabel("NFE")
    top = panels[0].secondary_xaxis("top")
    texts = [
        f"{skipped}\n{sigma:.{1 if sigma > 10 else 2}f}"
        for skipped, sigma in zip(ticks["skipped_steps"], ticks["sigma"], strict=True)
    ]
    top.set_xticks(ticks["nfe"], texts)
    top.set_xlabel(f"skipped steps\n{style.SIGMA} at the jump", labelpad=3, fontsize="small")


def _legend(figure: Figure, axes: Axes, extractor: str) -> None:
    names = sweep.measure_names(extractor).values()
    handles = [
        *(
            axes.plot([], [], marker="o", mew=0, label=name, **style.line_style(number))[0]
            for number, name in enumerate(names)
        ),
        axes.plot([], [], color="black", ls=":", lw=0.9, label="real images (floor)")[0],
        axes.plot([], [], color=style.MUTED, ls="--", lw=0.8, label="nothing skipped")[0],
        axes.plot([], [], color=LIMIT, ls=":", lw=0.9, label=f"{100 * sweep.TOLERANCE:g} % loss")[0],
        axes.plot(
            [], [], "o", ms=8, mfc="none", mec="black", mew=0.9, label="no jump up to here loses more, by its interval"
        )[0],
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
