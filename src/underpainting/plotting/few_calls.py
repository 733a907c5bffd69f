"""Images at few network calls, from noise and after jumps, beside those of a plain run."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from underpainting.plotting import images, style
from underpainting.plotting.images import FloatArray

COLUMNS = 12


@style.styled
def few_calls(rows: Sequence[FloatArray], labels: Sequence[str], seeds: Sequence[int], sampler: str) -> Figure:
    """Draw images of the same seeds: a row per run, a column per seed (twelve at most).

    Args:
        rows: each of shape (sample, channel, height, width), in [-1, 1].
        labels: of the rows.
        seeds: of the columns.
        sampler: its label.
    """
    columns = seeds[:COLUMNS]
    figure = style.new_figure(images.grid_height(len(rows), max(len(columns), 6), 5.5) + 0.4)
    axes = figure.subplots()
    images.draw_grid(axes, [row[:COLUMNS] for row in rows], labels, [str(seed) for seed in columns])
    style.panel_title(axes, "", f"{sampler} at few network calls; by seed")
    return figure
