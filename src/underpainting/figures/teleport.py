"""Fig. 4 E-F: images and image quality when the first steps of a sampler are skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from underpainting.figures import images, style
from underpainting.figures.images import FloatArray

TICKS = 6


@style.styled
def hybrid(
    rows: Sequence[FloatArray], skips: Sequence[int], nfes: Sequence[int], seeds: Sequence[int], sampler: str
) -> Figure:
    """Images of the hybrid method: a row per number of skipped steps, a column per seed.

    Args:
        rows: each of shape (sample, channel, height, width), in [-1, 1].
        skips, nfes: steps skipped and network calls of each row.
        seeds: of the columns.
        sampler: its label.
    """
    columns = len(seeds)
    figure = style.canvas(images.grid_height(len(rows), max(columns, 6), 5.7) + 0.45)
    axes = figure.subplots()
    labels = [f"skip {skip}\nNFE {nfe}" for skip, nfe in zip(skips, nfes, strict=True)]
    images.grid(axes, rows, labels, [str(seed) for seed in seeds])
    style.title(axes, "", f"{sampler}, the first ones skipped with the closed form; by seed")
    return figure


@style.styled
def fidelity(table: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Frechet distance (A) and kernel distance (B) against the steps skipped, a line per sampler.

    Args:
        table: `sampler`, `skip`, `nfe`, `sigma`, `fd`, `kid`, `kid_std`, `extractor`; one row per sampler and skip.
        labels: sampler to its label, in the order to be shown, the headline sampler first.
    """
    figure = style.canvas(3.1 if len(labels) > 1 else 2.9)
    left, right = figure.subplots(1, 2)
    for sampler, label in labels.items():
        rows = table[table["sampler"] == sampler].sort_values("skip")
        _line(left, rows, "fd", label)
        _line(right, rows, "kid", label, rows["kid_std"].to_numpy())
    extractor = str(table["extractor"].iloc[0])
    distance = "FID" if extractor == "inception-v3-compat" else f"FD ({extractor})"
    for axes, letter, name, column in ((left, "A", distance, "fd"), (right, "B", "KID", "kid")):
        style.title(axes, letter, f"{name}, lower is better")
        axes.set_ylabel(name)
        _spread(axes, table[column].to_numpy())
        _skip_axes(axes, table[table["sampler"] == next(iter(labels))].sort_values("skip"))
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def _line(axes: Axes, rows: pd.DataFrame, column: str, label: str, deviation: FloatArray | None = None) -> None:
    """A sampler's curve, with the level of the sampler alone where it was measured."""
    (line,) = axes.plot(rows["skip"], rows[column], marker="o", label=label)
    if deviation is not None:
        axes.errorbar(
            rows["skip"], rows[column], deviation, fmt="none", ecolor=line.get_color(), elinewidth=0.7, capsize=1.5
        )
    if (alone := rows.loc[rows["skip"] == 0, column]).size:
        axes.axhline(alone.iloc[0], color=line.get_color(), linestyle="--", lw=0.8, label=f"{label}, nothing skipped")


def _spread(axes: Axes, values: FloatArray) -> None:
    """A logarithmic axis where values spread over more than a factor of five, or its like where some are not positive."""
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > 5 * low:
        axes.set_yscale("log")
    elif low <= 0 and high > 0:
        typical = float(np.median(np.abs(values)))
        if typical > 0 and high > 10 * typical:
            axes.set_yscale("symlog", linthresh=typical)


def _skip_axes(axes: Axes, rows: pd.DataFrame) -> None:
    """Steps skipped below, with the noise scale at the jump; network calls above."""
    skips = rows["skip"].to_numpy()
    wanted = np.linspace(skips.min(), skips.max(), TICKS)
    chosen = np.unique([int(np.abs(skips - position).argmin()) for position in wanted])
    ticks = rows.iloc[chosen]
    axes.set_xticks(
        ticks["skip"], [f"{skip}\n{sigma:.2f}" for skip, sigma in zip(ticks["skip"], ticks["sigma"], strict=True)]
    )
    axes.set_xlabel(f"steps skipped\n{style.SIGMA} at the jump")
    top = axes.secondary_xaxis("top")
    top.set_xticks(ticks["skip"], [str(nfe) for nfe in ticks["nfe"]])
    top.set_xlabel("NFE left", labelpad=2)
