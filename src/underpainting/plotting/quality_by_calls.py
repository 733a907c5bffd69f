"""Quality by network calls: relative samplers beside the envelope of all others."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from underpainting.plotting import low_nfe, style
from underpainting.samplers.registry import SAMPLERS
from underpainting.teleport import sweep
from underpainting.teleport.registry import NO_JUMP

LETTERS = "ABC"
UNITS = {
    "rmse_to_network": "difference in image units",
    "fd_infinite": "squared distance of features",
    "autoencoder_fd_infinite": "squared distance of codes",
}
COMPARED = {"rmse_to_network": "RMSE", "fd_infinite": "FD"}
COLUMNS = 4
OTHERS = {"no jump": "-", "with a jump": "--"}
_OURS = "#0072B2"


@style.styled
def quality_by_calls(table: pd.DataFrame, samplers: Mapping[str, str]) -> Figure:
    """Draw each measure by network calls: relative samplers in colour, the best of all others as grey envelopes.

    Args:
        table: `teleport.csv`.
        samplers: label of each sampler.
    """
    rows = sweep.regridded(table)
    measures = _measures(rows)
    figure = style.new_figure(3.1)
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for letter, axes, (measure, label) in zip(LETTERS, panels, measures.items(), strict=False):
        _draw_measure(axes, rows, measure)
        style.panel_title(axes, letter, label)
        axes.set(xlabel="NFE", ylabel=UNITS[measure])
    figure.legend(handles=_handles(rows, samplers), loc="outside lower center", ncols=3)
    return figure


@style.styled
def quality_of_studies(tables: Mapping[str, pd.DataFrame], samplers: Mapping[str, str]) -> Figure:
    """Draw two measures by network calls, one below the other, with a column per study, as `quality_by_calls` does.

    More than four studies are drawn in blocks of four columns.

    Args:
        tables: `teleport.csv` of each study, by its title.
        samplers: label of each sampler.
    """
    rows = {title: sweep.regridded(table) for title, table in tables.items()}
    columns = min(len(rows), COLUMNS)
    blocks = -(-len(rows) // columns)
    figure = style.new_figure(0.7 + 1.65 * blocks * len(COMPARED))
    grid = figure.subplots(blocks * len(COMPARED), columns, squeeze=False)
    for number, (title, own) in enumerate(rows.items()):
        block, column = divmod(number, columns)
        for axes, (measure, label) in zip(grid[len(COMPARED) * block :, column], COMPARED.items(), strict=False):
            _draw_measure(axes, own, measure)
            axes.set(xlabel="NFE", ylabel=label)
        style.panel_title(grid[len(COMPARED) * block, column], "", title)
    for axes in grid[-len(COMPARED) :, (len(rows) - 1) % columns + 1 :].flat:
        axes.set_axis_off()
    figure.legend(handles=_handles(pd.concat(rows.values()), samplers), loc="outside lower center", ncols=3)
    return figure


def _measures(rows: pd.DataFrame) -> dict[str, str]:
    """Return the column of each measure that was made, with its title."""
    distances = {
        "fd_infinite": sweep.distance_name(str(rows["extractor"].iloc[0])),
        "autoencoder_fd_infinite": sweep.distance_name("autoencoder"),
    }
    known = {"rmse_to_network": "RMSE to the network's images"} | distances
    return {column: label for column, label in known.items() if rows[column].notna().any()}


def _floor(rows: pd.DataFrame, measure: str) -> float | None:
    """Return a distance of infinitely many real images; None for a measure without one."""
    name = measure.replace("fd_infinite", "floor_infinite")
    return None if name == measure else float(rows[name].iloc[0])


def _raised(rows: pd.DataFrame, measure: str, floor: float | None) -> pd.DataFrame:
    """Raise a measure and its interval to the floor of real images, if it has one."""
    return rows.assign(
        **{f"{measure}{end}": rows[f"{measure}{end}"].clip(lower=floor) for end in ("", "_low", "_high")}
    )


def _draw_measure(axes: Axes, rows: pd.DataFrame, measure: str) -> None:
    """Draw the lines of a measure, and the floor of a distance, below which none is drawn."""
    if (floor := _floor(rows, measure)) is not None:
        style.draw_floor(axes, floor)
    rows = _raised(rows, measure, floor)
    ours = rows["sampler_name"].map(lambda name: SAMPLERS[name].relative)
    others = rows[~ours & rows[measure].notna()]
    for jumped, linestyle in zip((False, True), OTHERS.values(), strict=True):
        chosen = others[(others["jump"] != NO_JUMP) == jumped]
        if not jumped:
            for _, own in chosen.groupby("sampler_name"):
                line = own.groupby("nfe")[measure].min()
                axes.plot(line.index, line, color=style.MUTED, lw=0.5, alpha=0.5)
        envelope = chosen.groupby("nfe")[measure].min().cummin()
        axes.plot(envelope.index, envelope, color=style.MUTED, ls=linestyle, lw=1.8)
    for _, own in rows[ours & (rows["jump"] == NO_JUMP)].groupby("sampler_name"):
        best = own.sort_values("nfe")
        axes.plot(best["nfe"], best[measure], "o-", color=_OURS)
        axes.vlines(best["nfe"], best[f"{measure}_low"], best[f"{measure}_high"], color=_OURS, lw=0.9)
    style.log_y_axis(axes, float(rows[measure].min()), float(rows[measure].max()))
    low_nfe.call_axis(axes, rows["nfe"].unique())


def _handles(rows: pd.DataFrame, samplers: Mapping[str, str]) -> list[Line2D]:
    ours = [samplers[name] for name in dict.fromkeys(rows["sampler_name"]) if SAMPLERS[name].relative]
    jumped = {"no jump": (rows["jump"] == NO_JUMP).any(), "with a jump": (rows["jump"] != NO_JUMP).any()}
    return [
        *(Line2D([], [], marker="o", color=_OURS, label=label) for label in ours),
        *(
            Line2D([], [], color=style.MUTED, ls=line, lw=1.8, label=f"best of all others, {kind}")
            for kind, line in OTHERS.items()
            if jumped[kind]
        ),
        Line2D([], [], color=style.MUTED, lw=0.5, alpha=0.5, label="each of the others, no jump"),
        Line2D([], [], color="black", ls=":", lw=0.9, label="real images (floor)"),
    ]
