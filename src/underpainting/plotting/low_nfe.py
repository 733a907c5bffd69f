"""Image quality at few network calls, from noise and after each kind of jump."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from underpainting.plotting import style
from underpainting.plotting.images import FloatArray
from underpainting.teleport import sweep

MARKERS = "os^Dv<>Pp*"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SHOWN_NFE = 5, 10
TICKS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000)
EACH_JUMP = "sampler_name", "jump", "skipped_percent", "nfe"
PANELS, NUMBERS = 8, 4
"""Most samplers with a panel of their own, by network calls and by the jump's target."""
ALWAYS = "ddim"
_DODGE = 0.013  # between the lines of a panel, as a share of a value on a logarithmic axis


class Names(NamedTuple):
    """Labels of samplers and jumps, in the order of drawing.

    Attributes:
        samplers: sampler's name to its label.
        jumps: id to label, `none` first.
    """

    samplers: Mapping[str, str]
    jumps: Mapping[str, str]


@style.styled
def low_nfe(table: pd.DataFrame, names: Names) -> Figure:
    """Draw Frechet distance (n to infinity) by network calls: a panel per sampler, a line per jump, and a summary.

    Of more than `PANELS` samplers, DDIM and the best others have a panel; the summary has all.

    Args:
        table: `teleport.csv`.
        names: of samplers and jumps.
    """
    table = _drawn(table)
    rows, plain = sweep.best(sweep.regridded(table)), sweep.references(table)
    names = names._replace(samplers=_leading(rows, names.samplers, PANELS))
    count = len(names.samplers) + 1
    columns = 2 if count in (2, 4) else 3
    figure, panels = _panels(count, columns, 2.0)
    for number, (sampler_name, label) in enumerate(names.samplers.items()):
        own, axes = rows[rows["sampler_name"] == sampler_name], panels[number]
        _reference(axes, plain[plain["sampler_name"] == sampler_name])
        _lines(axes, own, names, "nfe", marker=MARKERS[number % len(MARKERS)])
        style.panel_title(axes, LETTERS[number], label)
    _front(panels[-1], rows, names)
    style.panel_title(panels[-1], LETTERS[count - 1], "All samplers")
    _distance_axis(panels, pd.concat([rows, plain]), columns, str(table["extractor"].iloc[0]))
    call_axis(panels[0], rows["nfe"].unique())
    for axes in panels:
        axes.set_xlabel("NFE")
    others = [Line2D([], [], color=style.MUTED, marker=".", ms=3, ls="", label="other samplers")]
    without_panel = not set(rows["sampler_name"]).issubset(names.samplers)
    handles = [*_handles(names, with_front=True), *others * without_panel]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


@style.styled
def skipped_percent(table: pd.DataFrame, names: Names) -> Figure:
    """Draw Frechet distance by the jump's target at two numbers of network calls; a panel per sampler and number.

    If no sampler has rows for both numbers, one number is shown. Of more than `NUMBERS` samplers, DDIM and the best others are
    shown.

    Args:
        table, names: as for `low_nfe`.
    """
    table = _drawn(table)
    rows, plain = sweep.best(sweep.regridded(table), EACH_JUMP), sweep.references(table)
    names = names._replace(samplers=_leading(rows, names.samplers, NUMBERS))
    at = {calls: [_within(rows[rows["sampler_name"] == name], calls) for name in names.samplers] for calls in SHOWN_NFE}
    distinct = {tuple(int(own["nfe"].iloc[0]) for own in runs): runs for runs in at.values()}
    shown = [entry for runs in distinct.values() for entry in zip(names.samplers, runs, strict=True)]
    columns = 2 if len(names.samplers) == 1 else min(len(names.samplers), 4)
    figure, panels = _panels(len(shown), columns, 1.9)
    for number, (axes, (sampler_name, own)) in enumerate(zip(panels, shown, strict=True)):
        _reference(axes, plain[plain["sampler_name"] == sampler_name])
        _reference(axes, own[own["jump"] == "none"], "-")
        _lines(axes, own[own["jump"] != "none"], names, "skipped_percent", marker="o")
        style.panel_title(axes, LETTERS[number % 26], f"{names.samplers[sampler_name]}, NFE {own['nfe'].iloc[0]}")
    _distance_axis(panels, pd.concat([rows, plain]), columns, str(table["extractor"].iloc[0]))
    for axes in panels:
        axes.set_xlabel("skipped time in %")
    figure.legend(handles=list(_handles(names)), loc="outside lower center", ncols=4)
    return figure


def _drawn(table: pd.DataFrame) -> pd.DataFrame:
    """Add `fd`, `fd_low` and `fd_high` at infinitely many images, raised to the floor of real images."""
    floor = table["floor_infinite"]
    ends = {f"fd{end}": table[f"fd_infinite{end}"].clip(lower=floor) for end in ("", "_low", "_high")}
    return table.assign(**ends)


def _leading(rows: pd.DataFrame, samplers: Mapping[str, str], count: int) -> dict[str, str]:
    """Choose DDIM and the samplers of least distance, in the geometric mean over numbers of calls; `count` in all."""
    least = np.log(rows.groupby(["sampler_name", "nfe"])["fd"].min()).groupby("sampler_name").mean()
    ranked = sorted(samplers, key=lambda name: (name != ALWAYS, least[name]))
    return {name: label for name, label in samplers.items() if name in ranked[:count]}


def _within(rows: pd.DataFrame, calls: int) -> pd.DataFrame:
    """Select the rows with the most calls up to a given number, or with the fewest if all have more."""
    return sweep.within(rows, max(calls, int(rows["nfe"].min())))


def _panels(count: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """Create panels with the same axes, all with tick labels; unused places in the last row stay empty."""
    rows = -(-count // columns)
    figure = style.new_figure(0.6 + height * rows * (0.85 if rows > 3 else 1.0))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat:
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[count:]:
        axes.set_axis_off()
    return figure, list(grid.flat[:count])


def _lines(axes: Axes, rows: pd.DataFrame, names: Names, position: str, marker: str) -> None:
    """Draw a line with intervals for each jump, shifted a little to keep them apart."""
    looks, middle = style.jump_styles(names.jumps), (len(names.jumps) - 1) / 2
    for number, jump in enumerate(names.jumps):
        chosen = rows[rows["jump"] == jump].sort_values(position)
        shift = (number - middle) * _DODGE
        at = chosen[position] * (1 + shift) if position == "nfe" else chosen[position] + 100 * shift / 2
        axes.plot(at, chosen["fd"], marker=marker, markeredgewidth=0, **looks[jump])
        axes.vlines(at, chosen["fd_low"], chosen["fd_high"], color=looks[jump]["color"], lw=0.8)


def _reference(axes: Axes, rows: pd.DataFrame, linestyle: str = "--") -> None:
    """Draw the level of a plain run with its interval."""
    for _, row in rows.iterrows():
        axes.axhspan(row["fd_low"], row["fd_high"], color=style.MUTED, alpha=0.2, lw=0)
        axes.axhline(row["fd"], color="black" if linestyle == "-" else style.MUTED, ls=linestyle, lw=0.9)


def _front(axes: Axes, rows: pd.DataFrame, names: Names) -> None:
    """Draw the best of every sampler after each jump, and the Pareto front of all."""
    looks = style.jump_styles(names.jumps)
    others = rows[~rows["sampler_name"].isin(names.samplers)]
    axes.plot(others["nfe"], others["fd"], ".", ms=3, mew=0, color=style.MUTED)
    for number, sampler_name in enumerate(names.samplers):
        for jump in names.jumps:
            chosen = rows[(rows["sampler_name"] == sampler_name) & (rows["jump"] == jump)]
            marker = MARKERS[number % len(MARKERS)]
            axes.plot(chosen["nfe"], chosen["fd"], marker, mew=0, alpha=0.75, color=looks[jump]["color"])
    front = sweep.pareto(rows)
    calls, distances = [*front["nfe"], rows["nfe"].max()], [*front["fd"], front["fd"].min()]  # more calls do no harm
    axes.plot(calls, distances, color=style.MUTED, lw=1.0, drawstyle="steps-post", zorder=1)


def _distance_axis(panels: list[Axes], rows: pd.DataFrame, columns: int, extractor: str) -> None:
    """Set the common logarithmic y axis of all panels, which ends at the floor; intervals are cut off there."""
    style.log_y_axis(panels[0], float(rows["floor_infinite"].min()), float(rows["fd_high"].max()))
    for axes in panels:
        style.draw_floor(axes, float(rows["floor_infinite"].iloc[0]))
    for axes in panels[::columns]:
        axes.set_ylabel(f"{sweep.distance_name(extractor)}\nn to infinity")


def call_axis(axes: Axes, calls: FloatArray) -> None:
    """Set a logarithmic x axis with round labels, as far as there is room."""
    axes.set_xscale("log")
    ticks = [tick for tick in TICKS if calls.min() <= tick <= calls.max()] or calls.tolist()
    ticks = [ticks[place] for place in style.thin_labels(np.log(ticks).tolist(), 0.1)]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)


def _handles(names: Names, with_front: bool = False) -> Iterator[Line2D]:
    looks = style.jump_styles(names.jumps)
    for jump, label in names.jumps.items():
        yield Line2D([], [], label=label, **looks[jump])
    yield Line2D([], [], color=style.MUTED, ls="--", lw=0.9, label="plain, many calls")
    yield Line2D([], [], color="black", ls=":", lw=0.9, label="real images (floor)")
    if with_front:
        yield Line2D([], [], color=style.MUTED, lw=1.0, drawstyle="steps-post", label="Pareto front")
        for number, label in enumerate(names.samplers.values()):
            yield Line2D([], [], color=style.MUTED, marker=MARKERS[number % len(MARKERS)], ls="", label=label)
