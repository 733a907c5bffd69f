"""Fig. 4 F: image quality when the first steps of a sampler are skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.figures import style
from underpainting.figures.images import FloatArray

LEGEND = 4


@style.styled
def fidelity(table: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Frechet distance (A) and kernel distance (B) against the steps skipped, a line per sampler.

    Args:
        table: `sampler`, `skip`, `nfe`, `sigma`, `fd`, `kid`, `kid_std`, `extractor`; a row per sampler and skip.
        labels: sampler to its label, in the order to be shown, the headline sampler first.
    """
    table = table.sort_values("skip").assign(fd_std=0.0)
    figure = style.canvas(2.9 + 0.15 * -(-(len(labels) + 1) // LEGEND))
    extractor = str(table["extractor"].iloc[0])
    distance = "FID" if extractor == "inception-v3-compat" else f"FD ({extractor})"
    panels = list(zip(figure.subplots(1, 2), "AB", ("fd", "kid"), (distance, "KID"), strict=True))
    for axes, letter, column, name in panels:
        for number, (sampler, label) in enumerate(labels.items()):
            _line(axes, table[table["sampler"] == sampler], column, label, style.look_of(number))
        style.title(axes, letter, f"{name}, lower is better")
        axes.set_ylabel(name)
        _spread(axes, table[column].to_numpy(), table[f"{column}_std"].to_numpy())
        _skip_axes(axes, table[table["sampler"] == next(iter(labels))], next(iter(labels.values())))
    left = panels[0][0]
    if (table["skip"] == 0).any():
        left.plot([], [], color=style.MUTED, linestyle="--", lw=0.8, label="nothing skipped")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=LEGEND)
    return figure


def _line(axes: Axes, rows: pd.DataFrame, column: str, label: str, look: dict[str, Any]) -> None:
    """A sampler's curve, with the level of the sampler alone where it was measured."""
    deviation, color = rows[f"{column}_std"], look["color"]
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
    if deviation.any():
        axes.errorbar(rows["skip"], rows[column], deviation, fmt="none", ecolor=color, elinewidth=0.7, capsize=1.5)
    if (alone := rows.loc[rows["skip"] == 0, column]).size:
        axes.axhline(alone.iloc[0], color=color, linestyle="--", lw=0.8)


def _spread(axes: Axes, values: FloatArray, deviations: FloatArray) -> None:
    """A logarithmic axis where values spread over more than a factor of three, or its like if some are not positive."""
    low, high = float((values - deviations).min()), float((values + deviations).max())
    if low > 0 and high > 3 * low:
        style.plain_log(axes, low, high)
    elif low <= 0 and high > 10 * (linear := max(float(np.median(np.abs(values))) / 2, -low)) > 0:
        axes.set_yscale("symlog", linthresh=linear)
        axes.set_ylim(low - linear / 2, 1.4 * high)
        axes.set_yticks([0, *10 ** np.arange(np.ceil(np.log10(linear)), np.log10(high) + 0.1)])
    style.plain_numbers(axes)


def _skip_axes(axes: Axes, rows: pd.DataFrame, label: str) -> None:
    """Steps skipped below, with the noise scale at the jump; network calls above: both of the headline sampler."""
    ticks = rows.iloc[_apart(rows["skip"].to_numpy())]
    texts = [f"{skip}\n{sigma:.2f}" for skip, sigma in zip(ticks["skip"], ticks["sigma"], strict=True)]
    axes.set_xticks(ticks["skip"], texts)
    axes.set_xlabel(f"steps skipped\n{style.SIGMA} at the jump")
    top = axes.secondary_xaxis("top")
    top.set_xticks(ticks["skip"], [str(nfe) for nfe in ticks["nfe"]])
    top.set_xlabel(f"NFE of {label}", labelpad=3, fontsize="small")


def _apart(skips: FloatArray) -> list[int]:
    """Indices of skips that stand far enough apart for their labels."""
    chosen = [0]
    for index, skip in enumerate(skips):
        if index and skip - skips[chosen[-1]] >= 0.1 * (skips[-1] - skips[0]):
            chosen.append(index)
    return chosen
