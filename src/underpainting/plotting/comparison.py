"""Fig. 4 A-B: images of the theories beside those of a sampler that starts from the same noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from underpainting.plotting import images, style
from underpainting.plotting.images import FloatArray


@style.styled
def endpoint(actual: FloatArray, predicted: FloatArray, sampler: str, count: int) -> Figure:
    """Draw the endpoint estimates along one trajectory: the sampler's, the Gaussian solution's, and their difference.

    Args:
        actual, predicted: x0_hat, shape (step, channel, height, width).
        sampler: its label.
        count: number of snapshots.
    """
    chosen = images.choose_snapshots(len(actual), count)
    grey = actual.shape[1] == 1
    figure = style.new_figure(images.grid_height(3, len(chosen), 5.55 if grey else 6.05) + 0.4)
    axes = figure.subplots()
    rows = [actual[chosen], predicted[chosen], actual[chosen] - predicted[chosen]]
    labels = [images.wrap_label(sampler), "Gaussian\nsolution", "difference" if grey else "difference\n(grey: none)"]
    drawn = images.draw_grid(axes, rows, labels, [str(step) for step in chosen], [False, False, True])
    style.panel_title(axes, "", r"Endpoint estimate $\hat{x}_0(x_t)$ by sampler step (0 is noise)")
    if grey:
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, aspect=22, pad=0.02, ticks=[-1, 0, 1])
        bar.set_label("difference (image units)")
        bar.outline.set_visible(False)
    return figure


@style.styled
def samples(noise: FloatArray, rows: Mapping[str, FloatArray], seeds: Sequence[int]) -> Figure:
    """Draw initial noise and the final images of a sampler and of the theories from it, a column per seed.

    Args:
        noise: shape (sample, channel, height, width).
        rows: label to images of the same shape, the sampler's first.
        seeds: one per sample.
    """
    parts = images.wrap_columns(len(seeds))
    columns = parts[0].stop
    named = {"noise $x_T$": noise, **rows}
    figure = style.new_figure(len(parts) * (images.grid_height(len(named), max(columns, 5), 5.9) + 0.22) + 0.25)
    stacked = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    labels = [images.wrap_label(label) for label in named]
    for axes, part in zip(stacked, parts, strict=True):
        images.draw_grid(axes, [row[part] for row in named.values()], labels, [str(seed) for seed in seeds[part]])
        axes.set_xlim(right=columns - images.GAP / 2)
    style.panel_title(stacked[0], "", "Images from the same noise, by seed")
    return figure
