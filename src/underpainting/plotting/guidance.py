"""Fig. 23 and 24: samplers and scales of guidance, in images and in the geometry of trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from underpainting.analysis import trajectory_components
from underpainting.plotting import images, manifold, prompts, style
from underpainting.plotting.images import FloatArray

SHOWN = {"state": "states", "difference": "differences"}


@style.styled
def samples(
    finals: xr.DataArray, samplers: Sequence[str], scales: Sequence[float], headings: Sequence[str], prompt: str
) -> Figure:
    """Draw the images of every sampler and scale of guidance from the same noise, a panel per example (Fig. 23).

    Args:
        finals: images (sampler, guidance, example, channel, height, width).
        samplers: their labels.
        scales: of guidance.
        headings: one per example.
        prompt: of all.
    """
    across = min(2, len(headings))
    width = min(style.WIDTH / across - 0.9, 0.75 * len(scales))
    height = images.grid_height(len(samplers), len(scales), width) + 0.55
    down = -(-len(headings) // across)
    figure = style.new_figure(height * down + 0.2)
    figure.suptitle(prompts.quote(prompt), fontsize="medium")
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(headings) :]:
        axes.set_axis_off()
    for number, (axes, heading) in enumerate(zip(grid, headings, strict=False)):
        rows = [finals.values[row, :, number] for row in range(len(samplers))]
        images.draw_grid(axes, rows, samplers, [f"{scale:g}" for scale in scales])
        style.panel_title(axes, "", heading, pad=14)
    return figure


@style.styled
def geometry(
    shapes: Mapping[str, Mapping[float, xr.Dataset]],
    walks: Mapping[str, Mapping[float, FloatArray]],
    decoded: Mapping[float, xr.Dataset],
    heading: str,
) -> Figure:
    """Draw dimension (A), steps in the plane of x_0 and x_T (B) and components (C) by guidance (Fig. 24).

    Args:
        shapes: sampler's label to scale to `explained_state`, `explained_difference` (sample, component) and `dim_*` (sample).
        walks: label to scale to the states of one trajectory, (step, pixel).
        decoded: scale to `vector_image` (set, component, channel, height, width) and `endpoint_image` (step, ...) of the first
            sampler's trajectory from the same noise.
        heading: of panel C: sampler, prompt and seed.
    """
    shown = len(next(iter(walks.values())))
    rows = -(-decoded_count(decoded) // 8) * len(decoded)
    upper, middle, lower = 2.2, 1.65 * len(walks), images.grid_height(rows, 9, 6.0) + 0.6
    figure = style.new_figure(upper + middle + lower)
    top, centre, bottom = style.stack_subfigures(figure, [upper, middle, lower])
    _dimensions(top, shapes)
    _steps(centre.subplots(len(walks), shown, squeeze=False, sharex=True, sharey="row"), walks)
    _vectors(bottom, decoded, heading)
    return figure


def decoded_count(decoded: Mapping[float, xr.Dataset]) -> int:
    """Return the number of components that have images."""
    return int(next(iter(decoded.values())).sizes["component"])


def _dimensions(part: FigureBase, shapes: Mapping[str, Mapping[float, xr.Dataset]]) -> None:
    """Draw the variance that components leave over, a colour per scale, the first sampler strong."""
    pair = part.subplots(1, 2)
    for axes, letter, (name, label) in zip(pair, ("A", ""), SHOWN.items(), strict=True):
        for place, by_scale in enumerate(shapes.values()):
            _spectra(axes, by_scale, name, faint=place > 0)
        axes.axhline(1e-3, color="black", lw=0.8, ls="--")
        axes.set(yscale="log", ylim=(1e-5, 1), xlabel="number of PCs", ylabel="variance not explained")
        axes.legend(title=next(iter(shapes)), alignment="left", loc="upper right")
        style.panel_title(axes, letter, f"Dimension of {label}")


def _spectra(axes: Axes, by_scale: Mapping[float, xr.Dataset], name: str, faint: bool) -> None:
    shades = style.sequential_colormap()(np.linspace(0, 1, len(by_scale)))
    for shade, (scale, data) in zip(shades, by_scale.items(), strict=True):
        rest = 1 - data[f"explained_{name}"].values.mean(0)
        kept = rest > 0.9e-5
        needed = np.median(data[f"dim_{name}"].values)
        look = {"lw": 0.7, "alpha": 0.45} if faint else {"label": f"{prompts.guidance(scale)}: {needed:g} PCs"}
        axes.plot(np.flatnonzero(kept) + 1, rest[kept], color=shade, ls="-", **look)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _steps(grid: FloatArray, walks: Mapping[str, Mapping[float, FloatArray]]) -> None:
    """Draw the steps of one trajectory in the plane, a row per sampler and a column per scale."""
    for row, (sampler, by_scale) in zip(grid, walks.items(), strict=True):
        for axes, (scale, states) in zip(row, by_scale.items(), strict=True):
            steps = trajectory_components.plane_steps(states)
            axes.plot(steps[:, 0], label="along $x_T$", color="C0", ls="-", lw=1.1)
            axes.plot(steps[:, 1], label="towards $x_0$", color="C1", ls="-", lw=1.1)
            axes.axhline(0, color=style.MUTED, lw=0.6)
            axes.set(xlabel="sampler step", ylabel=f"{sampler}: step" if axes is row[0] else "")
            axes.tick_params(labelbottom=True)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            style.panel_title(axes, "B" if axes is grid[0, 0] else "", prompts.guidance(scale))
    grid[0, 0].legend(loc="best")


def _vectors(part: FigureBase, decoded: Mapping[float, xr.Dataset], heading: str) -> None:
    """Draw the components of the differences decoded, with the sample before them, a block of rows per scale."""
    axes = part.subplots()
    rows, labels = [], []
    for scale, data in decoded.items():
        vectors = manifold.vectors(data, "difference")
        final = data["endpoint_image"].values[-1]
        for start in range(0, len(vectors), 8):
            row = vectors[start : start + 8]
            empty = np.ones((8 - len(row), *final.shape))
            rows.append(np.concatenate([(final if not start else np.ones_like(final))[None], row, empty]))
            labels.append(f"{prompts.guidance(scale)}\nPC {start + 1} to {start + len(row)}")
    images.draw_grid(axes, rows, labels, ["sample", *[""] * 8])
    style.panel_title(axes, "C", f"PCs of differences, decoded: {heading}", pad=14)
