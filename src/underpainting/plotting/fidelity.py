"""Fig. 4 F: image quality when the first steps of a sampler are skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.plotting import style
from underpainting.teleport import sweep

LEGEND = 3
PANELS = {
    "fd_infinite": "floor_infinite",
    "autoencoder_fd_infinite": "autoencoder_floor_infinite",
    "rmse_to_network": "",
}
"""Columns of the panels, each with the column of its floor."""


@style.styled
def fidelity(table: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw Frechet distances in two feature spaces (A, B) and distance to the network's images (C) by skipped steps.

    Args:
        table: `teleport.csv`.
        labels: sampler to its label, in the order to be shown, the main sampler first.
    """
    entries = len(labels) + 3
    figure = style.new_figure(2.9 + 0.15 * -(-entries // LEGEND))
    names = list(sweep.measure_names(str(table["extractor"].iloc[0])).values())
    headings = [*((name, "at infinitely many images") for name in names[:2]), ("RMSE to the network", "image units")]
    first = next(iter(labels))
    for axes, letter, (column, floor), (heading, unit) in zip(
        figure.subplots(1, 3), "ABC", PANELS.items(), headings, strict=True
    ):
        drawn = [sweep.truncated(table, sampler) for sampler in labels]
        for number, (rows, label) in enumerate(zip(drawn, labels.values(), strict=True)):
            _line(axes, rows, column, label, style.line_style(number))
        null = sweep.truncated(table, first, sweep.NULL)
        _line(axes, null, column, f"{labels[first]}, isotropic (null)", NULL_LOOK)
        real = drawn[0][floor].to_list()[:1] if floor else []
        for value in real:
            style.draw_floor(axes, value)
        style.panel_title(axes, letter, heading)
        axes.set_ylabel(unit)
        shown = pd.concat([*drawn, null])
        style.scale_y_axis(axes, *(np.append(shown[f"{column}{end}"], real) for end in ("", "_low", "_high")))
        _label_steps(axes, drawn[0], labels[first])
    left = figure.axes[0]
    if (table["skipped_steps"] == 0).any():
        left.plot([], [], color=style.MUTED, linestyle="--", lw=0.8, label="nothing skipped")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=LEGEND)
    return figure


NULL_LOOK: dict[str, Any] = {"color": style.MUTED, "linestyle": (0, (1, 1))}


def _line(axes: Axes, rows: pd.DataFrame, column: str, label: str, look: dict[str, Any]) -> None:
    """Draw a sampler's curve with its intervals and, if measured, the level without a jump."""
    color = look["color"]
    axes.plot(rows["skipped_steps"], rows[column], marker="o", markeredgewidth=0, label=label, **look)
    axes.vlines(rows["skipped_steps"], rows[f"{column}_low"], rows[f"{column}_high"], color=color, lw=0.7)
    if look is not NULL_LOOK and (alone := rows.loc[rows["skipped_steps"] == 0, column]).size:
        axes.axhline(alone.iloc[0], color=color, linestyle="--", lw=0.8)


def _label_steps(axes: Axes, rows: pd.DataFrame, label: str) -> None:
    """Label both axes for the main sampler: skipped steps and noise scale at the jump below, network calls above."""
    ticks = rows.iloc[style.thin_labels(rows["skipped_steps"].to_list(), 0.16)]
    texts = [f"{skipped}\n{sigma:.2f}" for skipped, sigma in zip(ticks["skipped_steps"], ticks["sigma"], strict=True)]
    axes.set_xticks(ticks["skipped_steps"], texts)
    axes.set_xlabel(f"skipped steps\n{style.SIGMA} at the jump")
    top = axes.secondary_xaxis("top")
    top.set_xticks(ticks["skipped_steps"], [str(nfe) for nfe in ticks["nfe"]])
    top.set_xlabel(f"NFE of {label}", labelpad=3, fontsize="small")
