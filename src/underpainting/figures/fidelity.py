"""Fig. 4 F: image quality when the first steps of a sampler are skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.figures import style
from underpainting.teleportation import sweep

LEGEND = 4


@style.styled
def fidelity(table: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Frechet distance (A) and kernel distance (B) against the steps skipped, a line per sampler.

    Args:
        table: `sampler`, `skip`, `nfe`, `sigma`, `fd`, `fd_low`, `fd_high`, `kid`, `kid_std`, `extractor`; a row per
            sampler and skip.
        labels: sampler to its label, in the order to be shown, the headline sampler first.
    """
    table = table.sort_values("skip")
    table = table.assign(kid_low=table["kid"] - table["kid_std"], kid_high=table["kid"] + table["kid_std"])
    figure = style.canvas(2.9 + 0.15 * -(-(len(labels) + 1) // LEGEND))
    distance = sweep.distance_name(str(table["extractor"].iloc[0]))
    panels = list(zip(figure.subplots(1, 2), "AB", ("fd", "kid"), (distance, "KID"), strict=True))
    for axes, letter, column, name in panels:
        for number, (sampler, label) in enumerate(labels.items()):
            _line(axes, table[table["sampler"] == sampler], column, label, style.look_of(number))
        style.title(axes, letter, f"{name}, lower is better")
        axes.set_ylabel(name)
        style.spread(axes, *(table[f"{column}{end}"].to_numpy() for end in ("", "_low", "_high")))
        _skip_axes(axes, table[table["sampler"] == next(iter(labels))], next(iter(labels.values())))
    left = panels[0][0]
    if (table["skip"] == 0).any():
        left.plot([], [], color=style.MUTED, linestyle="--", lw=0.8, label="nothing skipped")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=LEGEND)
    return figure


def _line(axes: Axes, rows: pd.DataFrame, column: str, label: str, look: dict[str, Any]) -> None:
    """A sampler's curve, with the level of the sampler alone where it was measured."""
    color = look["color"]
    sns.lineplot(
        rows,
        x="skip",
        y=column,
        marker="o",
        markeredgewidth=0,
        errorbar=None,
        ax=axes,
        label=label,
        legend=False,
        **look,
    )
    axes.vlines(rows["skip"], rows[f"{column}_low"], rows[f"{column}_high"], color=color, lw=0.7)
    if (alone := rows.loc[rows["skip"] == 0, column]).size:
        axes.axhline(alone.iloc[0], color=color, linestyle="--", lw=0.8)


def _skip_axes(axes: Axes, rows: pd.DataFrame, label: str) -> None:
    """Steps skipped below, with the noise scale at the jump; network calls above: both of the headline sampler."""
    ticks = rows.iloc[style.spaced(rows["skip"].to_list(), 0.1)]
    texts = [f"{skip}\n{sigma:.2f}" for skip, sigma in zip(ticks["skip"], ticks["sigma"], strict=True)]
    axes.set_xticks(ticks["skip"], texts)
    axes.set_xlabel(f"steps skipped\n{style.SIGMA} at the jump")
    top = axes.secondary_xaxis("top")
    top.set_xticks(ticks["skip"], [str(nfe) for nfe in ticks["nfe"]])
    top.set_xlabel(f"NFE of {label}", labelpad=3, fontsize="small")
