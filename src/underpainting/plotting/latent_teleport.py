"""Draw jumps in latent space beside other ways at the same number of network calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from underpainting.plotting import style


class Look(NamedTuple):
    """Name, colour and line of a way, by its kind and kind of Gaussian."""

    label: str
    line: dict[str, Any]


LOOKS: dict[tuple[str, str], Look] = {
    ("plain", ""): Look("plain", {"color": "black", "linestyle": "-", "marker": "o"}),
    ("interval", ""): Look("guidance off early", {"color": style.MUTED, "linestyle": "--", "marker": "x"}),
    ("jump", "common"): Look("jump, all latents", {"color": "#E69F00", "linestyle": ":", "marker": "v"}),
    ("jump", "prompt"): Look("jump, prompt", {"color": "#0072B2", "linestyle": "-", "marker": "s"}),
    ("jump", "predicted"): Look("jump, predicted", {"color": "#D55E00", "linestyle": "-", "marker": "^"}),
    ("guided", "predicted"): Look("guided jump, predicted", {"color": "#D55E00", "linestyle": "--", "marker": "2"}),
    ("relative", "predicted"): Look("relative, predicted", {"color": "#009E73", "linestyle": "-.", "marker": "d"}),
}
"""Ways that are drawn, in the order of the legend."""

MEASURES = {
    "agreement_all": "agreement",
    "fd_infinite": "FD (classifier)",
    "autoencoder_fd_infinite": "FD (autoencoder)",
    "rmse_to_network": "RMSE to own solution",
}
FLOORS = {"fd_infinite": "floor_infinite", "autoencoder_fd_infinite": "autoencoder_floor_infinite"}


@style.styled
def latent_teleport(table: pd.DataFrame, sampler: str, group: str) -> Figure:
    """Draw every measure against the network calls: a row of panels per measure, a column per scale of guidance.

    Args:
        table: `latent_teleport.csv`.
        sampler: id of the sampler to show.
        group: of prompts.
    """
    rows = _raised(table[(table["group"] == group) & (table["sampler"] == sampler)])
    scales = sorted(rows["guidance"].unique())
    measures = {name: label for name, label in MEASURES.items() if name in rows and rows[name].notna().any()}
    figure = style.new_figure(0.7 + 1.35 * len(measures))
    panels = figure.subplots(len(measures), len(scales), squeeze=False, sharey="row", sharex="col")
    for line, (measure, label) in zip(panels, measures.items(), strict=True):
        for axes, scale in zip(line, scales, strict=True):
            _panel(axes, rows[rows["guidance"] == scale], measure)
        _scale(line, rows, measure)
        line[0].set_ylabel(label)
    for axes, scale in zip(panels[0], scales, strict=True):
        axes.set_title(f"guidance {scale:g}")
    for axes in panels[-1]:
        axes.set_xlabel("network calls")
    figure.legend(handles=_handles(rows), loc="outside lower center", ncols=4)
    return figure


def _raised(rows: pd.DataFrame) -> pd.DataFrame:
    """Raise Frechet distances and their ends to the floor of real images, where they are smaller."""
    raised = {
        f"{measure}{end}": rows[f"{measure}{end}"].clip(lower=rows[floor])
        for measure, floor in FLOORS.items()
        for end in ("", "_low", "_high")
        if floor in rows
    }
    return rows.assign(gaussian=rows["gaussian"].fillna(""), **raised)


def _panel(axes: Axes, rows: pd.DataFrame, measure: str) -> None:
    """Draw a measure of every way against the network calls, with intervals."""
    for (kind, gaussian), look in LOOKS.items():
        chosen = rows[(rows["kind"] == kind) & (rows["gaussian"] == gaussian)].sort_values("nfe")
        if len(chosen):
            axes.plot(chosen["nfe"], chosen[measure], ms=3.5, lw=1.1, **look.line)
            low, high = chosen[f"{measure}_low"], chosen[f"{measure}_high"]
            axes.vlines(chosen["nfe"], low, high, color=look.line["color"], lw=0.6, alpha=0.6)
    if (floor := FLOORS.get(measure)) and floor in rows:
        style.draw_floor(axes, float(rows[floor].iloc[0]))


def _scale(panels: Sequence[Axes], rows: pd.DataFrame, measure: str) -> None:
    """Set the y axis that a row of panels shares."""
    if measure == "agreement_all":
        panels[0].set_ylim(top=1.02)
        return
    values = rows[measure].to_numpy(np.float64)
    positive = values[np.isfinite(values) & (values > 0)]
    if len(positive):
        style.log_y_axis(panels[0], float(positive.min()), float(positive.max()))


def _handles(rows: pd.DataFrame) -> list[Line2D]:
    drawn = set(zip(rows["kind"], rows["gaussian"], strict=True))
    found = [Line2D([], [], label=look.label, ms=3.5, **look.line) for way, look in LOOKS.items() if way in drawn]
    return [*found, Line2D([], [], color="black", ls=":", lw=0.9, label="real images (floor)")]
