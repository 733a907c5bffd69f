"""Fig. 12-14: the Gaussian solution beside one sampler, in images and in errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import xarray as xr
from matplotlib.figure import Figure, FigureBase

from underpainting.plotting import errors, images, style
from underpainting.plotting.images import FloatArray

LEAST, MOST = 7, 10
HEADINGS = ("State $x_t$", r"Endpoint estimate $\hat{x}_0$", "Final image")


@style.styled
def validation(
    endpoints: tuple[FloatArray, FloatArray],
    finals: tuple[FloatArray, FloatArray],
    seeds: Sequence[int],
    data: xr.Dataset,
    variances: FloatArray,
    labels: Mapping[str, str],
    count: int,
) -> Figure:
    """Draw endpoint estimates (A), images (B), and the Gaussian's errors of state (C), endpoint (D), components (E).

    Args:
        endpoints: of one trajectory, the sampler's and the Gaussian's, each of shape (step, channel, height, width).
        finals: images of both, shape (sample, channel, height, width).
        seeds: of the samples.
        data: `state_error`, `endpoint_error` (sample, step), `component_error` (sample, component) and `sigma` (step).
        variances: of the components.
        labels: of `network` and `gaussian`.
        count: number of snapshots.
    """
    chosen = images.choose_snapshots(len(endpoints[0]), count)
    room = max(len(chosen), len(seeds), LEAST)
    heights = [*[images.grid_height(2, room, 5.85) + 0.4] * 2, 2.6]
    figure = style.new_figure(sum(heights))
    top, middle, bottom = style.stack_subfigures(figure, heights)
    names = [images.wrap_label(labels["network"]), "Gaussian\nsolution"]
    upper, lower = top.subplots(), middle.subplots()
    images.draw_grid(upper, [values[chosen] for values in endpoints], names, [str(step) for step in chosen])
    images.draw_grid(lower, list(finals), names, [str(seed) for seed in seeds])
    for axes in (upper, lower):
        axes.set_xlim(right=room - images.GAP / 2)
    style.panel_title(
        upper, "A", r"Endpoint estimates $\hat{x}_0(x_t)$ along one trajectory, by sampler step (0 is noise)"
    )
    style.panel_title(lower, "B", "Images from the same noise, by seed")
    _errors(bottom, data, variances, labels["network"])
    return figure


def _errors(figure: FigureBase, data: xr.Dataset, variances: FloatArray, sampler: str) -> None:
    left, middle, right = panels = figure.subplots(1, 3)
    look = style.model_style("gaussian")
    for axes, name in ((left, "state_error"), (middle, "endpoint_error")):
        errors.line(axes, errors.position(data, True), data[name].values, True, **look)
        axes.set(xlabel="sampler step", ylabel="mean squared error per pixel")
        errors.noise_axis(axes, sampler, data, True)
    errors.line(right, *errors.binned(data["component_error"].values), True, label="error", **look)
    errors.components(right, variances)
    right.legend(loc="lower left")
    for axes, letter, heading in zip(panels, "CDE", HEADINGS, strict=True):
        axes.set_yscale("log")
        style.panel_title(axes, letter, heading, pad=27)
