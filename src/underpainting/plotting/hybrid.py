"""Fig. 4 E: images when the first steps of a sampler are skipped."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from underpainting.plotting import images, style
from underpainting.plotting.images import FloatArray

ROWS, COLUMNS = 10, 12


@style.styled
def hybrid(
    rows: Sequence[FloatArray], skipped: Sequence[tuple[int, int]], seeds: Sequence[int], sampler: str, steps: int
) -> Figure:
    """Draw images of the hybrid method: a row per number of skipped steps (ten at most), a column per seed (twelve).

    Args:
        rows: each of shape (sample, channel, height, width), in [-1, 1].
        skipped: skipped steps and network calls of each row, in increasing order.
        seeds: of the columns.
        sampler: its label.
        steps: its number of steps.
    """
    chosen = images.choose_snapshots(len(rows), ROWS)
    columns = seeds[:COLUMNS]
    figure = style.new_figure(images.grid_height(len(chosen), max(len(columns), 6), 5.85) + 0.4)
    axes = figure.subplots()
    labels = [f"{skipped[row][0]} of {steps} skipped\nNFE {skipped[row][1]}" for row in chosen]
    images.draw_grid(axes, [rows[row][:COLUMNS] for row in chosen], labels, [str(seed) for seed in columns])
    style.panel_title(axes, "", f"{sampler}, the first of them skipped with the closed form; by seed")
    return figure
