"""Fig. 4 D and 16: the Gaussian, the mixture and the point cloud, compared with the sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, FigureBase

from underpainting.analysis import statistics
from underpainting.plotting import errors, images, style
from underpainting.plotting.images import FloatArray

ROOM = 10
THIN = {"lw": 0.7}


@style.styled
def by_model(models: Mapping[str, xr.Dataset], labels: Mapping[str, str]) -> Figure:
    """Draw the error of the state by step (A), of the final image (B), and its paired differences by seed (C).

    Args:
        models: `gaussian`, `mixture`, `point_cloud`, or some of them, to `state_error` (sample, step) and `sigma` (step).
        labels: of the models, and of the sampler under `network`.
    """
    figure = style.new_figure(2.9)
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.2, 1.15, 0.95])
    state_errors(left, models, labels)
    final = {name: data["state_error"].values[:, -1] for name, data in models.items()}
    _final(middle, final, labels)
    _differences(right, final, labels)
    for axes, letter, heading in zip(
        (left, middle, right), "ABC", ("State $x_t$", "Final image", "Seed by seed"), strict=True
    ):
        style.panel_title(axes, letter, heading, pad=27)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(models))
    return figure


def state_errors(axes: Axes, models: Mapping[str, xr.Dataset], labels: Mapping[str, str]) -> None:
    """Draw the squared error of the state by step, mean and band for each model; the noise scale is on top."""
    for name, data in models.items():
        position = np.arange(data.sizes["step"], dtype=np.float64)
        look = style.model_style(name)
        errors.line(axes, position, data["state_error"].values, True, label=labels[name], **look)
    axes.set(xlabel="sampler step", ylabel="mean squared error per pixel", yscale="log")
    errors.noise_axis(axes, labels["network"], next(iter(models.values())), True)


def _final(axes: Axes, final: Mapping[str, FloatArray], labels: Mapping[str, str]) -> None:
    """Draw a dot per seed, a line through the dots of a seed, and the mean with its 95 % interval in front."""
    values = np.stack(list(final.values()))
    place = np.arange(len(final), dtype=np.float64)
    paths = [np.column_stack([place, column]) for column in values.T]
    axes.add_collection(LineCollection(paths, colors=style.MUTED, linewidths=0.3, alpha=min(1.0, 25 / len(paths))))
    for number, (name, errors_of_model) in enumerate(final.items()):
        color = style.model_style(name)["color"]
        axes.plot(np.full(len(errors_of_model), number), errors_of_model, ".", color=color, ms=2, alpha=0.25)
        _interval(axes, number, errors_of_model, color)
    axes.set(yscale="log", ylabel="mean squared error per pixel", xlabel="model")
    _names(axes, list(final), labels)


def _differences(axes: Axes, final: Mapping[str, FloatArray], labels: Mapping[str, str]) -> None:
    """Draw each model's error minus the Gaussian's: boxes over seeds, the mean and its 95 % interval."""
    first, *others = final
    differences = [final[name] - final[first] for name in others]
    axes.axhline(0, color=style.model_style(first)["color"], lw=0.8)
    if differences:
        axes.boxplot(
            differences,
            positions=range(len(others)),
            widths=0.5,
            whis=(10, 90),
            showfliers=False,
            medianprops={"color": style.MUTED},
            boxprops=THIN,
            whiskerprops=THIN,
            capprops=THIN,
        )
    for number, (name, values) in enumerate(zip(others, differences, strict=True)):
        _interval(axes, number, values, style.model_style(name)["color"])
    axes.set(xlabel="model", ylabel=f"difference to the {labels[first]}")
    _names(axes, others, labels)


def _interval(axes: Axes, place: float, values: FloatArray, color: str) -> None:
    interval = statistics.confidence_interval(values)
    ends = [[interval.estimate - interval.low], [interval.high - interval.estimate]]
    axes.errorbar(
        [place], [interval.estimate], ends, fmt="o", color=color, mec="black", ecolor="black", capsize=3, zorder=4
    )


def _names(axes: Axes, names: Sequence[str], labels: Mapping[str, str]) -> None:
    axes.set_xticks(range(len(names)), [images.wrap_label(labels[name]) for name in names])
    axes.set_xlim(-0.6, max(len(names), 1) - 0.4)
    axes.grid(visible=False, axis="x")


@style.styled
def table(
    endpoints: Mapping[str, FloatArray],
    finals: Mapping[str, FloatArray],
    seeds: Sequence[int],
    models: Mapping[str, xr.Dataset],
    labels: Mapping[str, str],
    count: int,
) -> Figure:
    """Draw endpoint estimates (A) and final images (B) of sampler and models; errors of state (C) and components (D).

    Args:
        endpoints: of one trajectory, each of shape (step, channel, height, width), `network` first.
        finals: images of the same kinds, shape (sample, channel, height, width), and the training images that are `nearest` to
            the network's.
        seeds: of the samples.
        models: to `state_error` (sample, step), `component_error` (sample, component) and `sigma` (step).
        labels: of the models, of the sampler under `network`, and of `nearest`.
        count: number of snapshots.
    """
    chosen = images.choose_snapshots(len(endpoints["network"]), count)
    heights = [images.grid_height(len(endpoints), max(len(chosen), ROOM), 5.7) + 0.4]
    heights += [images.grid_height(len(finals), max(len(seeds), ROOM), 5.7) + 0.4, 2.7]
    figure = style.new_figure(sum(heights))
    top, middle, bottom = style.stack_subfigures(figure, heights)
    rows = {name: values[chosen] for name, values in endpoints.items()}
    heading = r"Endpoint estimates $\hat{x}_0(x_t)$ from the same noise, by sampler step (0 is noise)"
    style.panel_title(_pictures(top, rows, [str(step) for step in chosen], labels), "A", heading)
    heading = "Final images from the same noise, by seed"
    style.panel_title(_pictures(middle, finals, [str(seed) for seed in seeds], labels), "B", heading)
    pixels = int(np.prod(endpoints["network"].shape[1:]))
    _errors(bottom, models, labels, pixels)
    return figure


def _pictures(
    figure: FigureBase, rows: Mapping[str, FloatArray], columns: Sequence[str], labels: Mapping[str, str]
) -> Axes:
    axes = figure.subplots()
    images.draw_grid(axes, list(rows.values()), [images.wrap_label(labels[name]) for name in rows], columns)
    axes.set_xlim(right=max(len(columns), ROOM) - images.GAP / 2)
    axes.set_anchor("W")
    return axes


def _errors(figure: FigureBase, models: Mapping[str, xr.Dataset], labels: Mapping[str, str], pixels: int) -> None:
    left, right = figure.subplots(1, 2)
    state_errors(left, models, labels)
    for name, data in models.items():
        total = pixels * data["state_error"].values[:, -1].mean()
        number, share = errors.binned(data["component_error"].values.mean(0, keepdims=True) / (total or 1.0))
        seen = share[0] > 1e-9 * share.max(initial=0.0)
        right.plot(number[seen], share[0][seen], label=labels[name], **style.model_style(name))
    right.set(xlabel="component $k$", ylabel="fraction of squared error", xscale="log", yscale="log")
    style.panel_title(left, "C", "Error of the state $x_t$", pad=27)
    style.panel_title(right, "D", "Error of the final image, by component", pad=27)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(models))
