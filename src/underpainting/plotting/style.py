"""The common style of all figures, and byte-for-byte reproducible figure files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib.resources import as_file, files
from itertools import cycle
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib import style as mpl_style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from underpainting.io.writing import replacing
from underpainting.teleport.registry import NO_JUMP, kind_of
from underpainting.theory.theories import THEORIES

WIDTH = 6.75
MUTED = "#767676"
DIVERGING = "RdBu_r"
SIGMA, ALPHA = r"$\sigma_t$", r"$\alpha_t$"
_BLACK = {"color": "black", "linestyle": "-"}
_RANKED_COLOURS = "#56B4E9", "#E69F00", "#009E73"
# Dates and versions would make two runs differ.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}

P = ParamSpec("P")
FloatArray = NDArray[np.float64]


@contextmanager
def style_sheet() -> Iterator[None]:
    """Apply the style sheet, without any matplotlib settings of the user."""
    with (
        as_file(files("underpainting.plotting") / "underpainting.mplstyle") as sheet,
        mpl_style.context(sheet, after_reset=True),
    ):
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorate a figure function so that its figure has the style."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style_sheet():
            return draw(*args, **kwargs)

    return drawn


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Create an empty figure; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def split_in_two(figure: Figure, upper: float, lower: float) -> tuple[FigureBase, FigureBase]:
    """Split a figure into two parts, one above the other, of the given heights."""
    top, bottom = stack_subfigures(figure, [upper, lower])
    return top, bottom


def stack_subfigures(figure: Figure, heights: Sequence[float]) -> list[FigureBase]:
    """Split a figure into parts, one below the other, of the given heights."""
    parts = figure.add_gridspec(len(heights), 1, height_ratios=list(heights))
    return [figure.add_subfigure(parts[row]) for row in range(len(heights))]


def line_style(number: int) -> dict[str, Any]:
    """Return colour and line style of the n-th line of a figure, the first being 0."""
    looks = list(mpl.rcParams["axes.prop_cycle"])
    return dict(looks[number % len(looks)])


def model_style(name: str) -> dict[str, Any]:
    """Return colour and line style of a theory or of the `network`; the same in all figures."""
    return dict(_BLACK if name == "network" else THEORIES[name].look)


def jump_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return colour and line style of jumps by id (`none`, `gaussian`, `lowrank16`); ranks differ in colour."""
    colours = cycle(_RANKED_COLOURS)
    looks = {name: _BLACK if name == NO_JUMP else kind_of(name).look for name in names}
    ranked = (name for name in looks if name != NO_JUMP and kind_of(name).ranked)
    return {name: dict(look) for name, look in looks.items()} | {
        name: {"color": next(colours), "linestyle": "-."} for name in ranked
    }


def sequential_colormap() -> Colormap:
    """Return Viridis without its palest tenth, which is invisible on paper."""
    return LinearSegmentedColormap.from_list(
        "underpainting", mpl.colormaps["viridis"]([i / 255 * 0.92 for i in range(256)])
    )


def draw_floor(axes: Axes, value: float) -> None:
    """Draw a line at the distance between samples of real images; lower values are not better."""
    axes.axhline(value, color="black", ls=":", lw=0.9, label="real images (floor)")


def format_number(value: float) -> str:
    """Format a number with two significant digits, in math mode: 0.31, 2.7, 4 x 10^-5; zero below 10^-12."""
    if abs(value) < 1e-12:
        return "0"
    if 1e-2 <= abs(value) < 1e4:
        return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"


def panel_title(axes: Axes, letter: str, text: str, pad: float | None = None) -> None:
    """Set a panel's letter (if it has one) and heading, flush left, `pad` points above the axes if given."""
    heading = rf"$\bf{{{letter}}}$  {text}" if letter else text
    axes.set_title(heading, y=None if pad is None else 1.0, pad=pad)


def thin_labels(values: Sequence[float], share: float) -> list[int]:
    """Choose indices of ascending values at least a share of their range apart, beginning with the first."""
    chosen = [0]
    for index, value in enumerate(values):
        if index and value - values[chosen[-1]] >= share * (values[-1] - values[0]):
            chosen.append(index)
    return chosen


def scale_y_axis(axes: Axes, values: FloatArray, low: FloatArray, high: FloatArray) -> None:
    """Set a logarithmic y axis if values spread over more than a factor of three; symlog if some are not positive.

    Args:
        axes: axes of the y axis.
        values: drawn values.
        low, high: ends of their bars; NaN (not measured) is ignored.
    """
    if not np.isfinite(values).any():
        return
    least, most = float(np.nanmin(low)), float(np.nanmax(high))
    if least > 0 and most > 3 * least:
        log_y_axis(axes, least, most)
    elif least <= 0 and most > 10 * (linear := max(float(np.nanmedian(np.abs(values))) / 2, -least)) > 0:
        axes.set_yscale("symlog", linthresh=linear)
        axes.set_ylim(least - linear / 2, 1.4 * most)
        axes.set_yticks([0, *10 ** np.arange(np.ceil(np.log10(linear)), np.log10(most) + 0.1)])
    plain_tick_labels(axes)


def log_y_axis(axes: Axes, low: float, high: float) -> None:
    """Set a logarithmic y axis with plain numbers as labels; `low` and `high` are the extreme values to be shown."""
    steps = (1, 2, 3, 5, 7) if high < 20 * low else (1, 2, 5) if high < 500 * low else (1,)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    decade = 10.0 ** np.floor(np.log10(low))
    axes.set_ylim(
        bottom=0.97 * max(step * decade for step in steps if step * decade <= low)
    )  # a label at the lower end
    plain_tick_labels(axes)


def symlog_ticks(axis: Axis, top: float, linear: float) -> None:
    """Set ticks at 0 and at 1, 2, 5 times powers of ten up to `top`, on an axis that is linear below `linear`."""
    powers = 10.0 ** np.arange(np.floor(np.log10(linear)), np.ceil(np.log10(max(top, linear))) + 1)
    steps = (1, 2, 5) if top < 100 * linear else (1,)
    ticks = [
        0.0,
        *(step * power for power in powers for step in steps if linear <= step * power * 1.001 <= 1.002 * top),
    ]
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


def decade_ticks(axis: Axis) -> None:
    """Label 1, 2, 5 times the powers of ten, in plain numbers, on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def plain_tick_labels(axes: Axes) -> None:
    """Label the major ticks of the y axis in plain numbers, and no minor ones."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def legend_below(axes: Axes) -> None:
    """Draw a legend of two columns under the axis label, where it covers nothing."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=2, columnspacing=1.0)


def save(figure: Figure, paths: Iterable[str | Path], dpi: int = 200) -> None:
    """Write a figure under each path, complete or not at all, the same bytes each time.

    Args:
        figure: as drawn by a function of this package.
        paths: `*.png` or `*.pdf`.
        dpi: resolution of PNG, and of images within PDF.

    Raises:
        ValueError: another suffix.
    """
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # else it logs each table that it subsets
    for path in map(Path, paths):
        if path.suffix not in _METADATA:
            raise ValueError(f"{path}: a figure is saved as {' or '.join(_METADATA)}")
        with style_sheet(), replacing(path) as scratch:
            figure.draw_without_rendering()  # images of fixed aspect settle in the second pass of the layout
            figure.savefig(scratch, format=path.suffix[1:], dpi=dpi, metadata=_METADATA[path.suffix])
