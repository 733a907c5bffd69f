"""Fig. 22 B and 3 D: response to perturbations in the middle of sampling, measured and by theory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.plotting import style
from underpainting.plotting.images import FloatArray

LINEAR = 0.1  # below this gain the axes are linear, so that they can show zero
OTHERS = {"random": ("at random", style.MUTED, "s"), "off_manifold": ("off the manifold", "#D55E00", "^")}


class Group(NamedTuple):
    """Directions drawn as one: a single component, all random ones, or all off the manifold."""

    label: str
    chosen: list[int]
    color: Any
    marker: str


class Gains(NamedTuple):
    """Gains of one group: mean over seeds, ends of its 95 % interval, prediction; each of shape (step,)."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    predicted: FloatArray


@style.styled
def perturbation(data: xr.Dataset, sampler: str) -> Figure:
    """Draw gains by perturbed step (A), along one trajectory (B), and by prediction: image (C), endpoint (D).

    Args:
        data: `state`, `endpoint` (step, sample, direction, time), `predicted_state`, `predicted_endpoint` (step, direction,
            time), `perturbed_at` (step), `component` (from 0), `variance` (direction); the attribute `kinds`.
        sampler: its label.
    """
    found = groups(data)
    figure = style.new_figure(5.3)
    (first, second), (third, fourth) = figure.subplots(2, 2)
    at_once = data["perturbed_at"].values.astype(np.int64)
    last = np.full(len(at_once), data.sizes["time"] - 1)
    images = [gains(data, group, "state", last) for group in found]
    endpoints = [gains(data, group, "endpoint", at_once) for group in found]
    for group, gain in zip(found, images, strict=True):
        first.plot(at_once, gain.predicted, color=group.color, ls="--", lw=1)
        _points(first, at_once.astype(np.float64), gain, group)
    middle = int(at_once[len(at_once) // 2])
    _way(second, data, found, middle)
    _against(third, images, found)
    _against(fourth, endpoints, found)
    _label((first, second, third, fourth), data.sizes["time"] - 1, middle)
    first.plot([], [], color="black", ls="--", lw=1, label="closed form")
    handles, names = first.get_legend_handles_labels()
    order = [*range(1, len(names)), 0]
    figure.legend(
        [handles[place] for place in order],
        [names[place] for place in order],
        loc="outside lower center",
        ncols=min(len(names), 8),
        columnspacing=1.2,
        handletextpad=0.4,
        title=sampler,
    )
    return figure


def groups(data: xr.Dataset) -> list[Group]:
    """Return the groups: components by decreasing variance, dark to bright, then the other kinds."""
    kinds = np.array(data.attrs["kinds"])
    components = np.flatnonzero(kinds == "component")
    shades = style.sequential_colormap()(np.linspace(0, 1, len(components)))
    numbers = data["component"].values
    found = [
        Group(f"$u_{{{numbers[place] + 1}}}$", [int(place)], shade, "o")  # the paper counts from 1
        for place, shade in zip(components, shades, strict=True)
    ]
    return found + [
        Group(label, np.flatnonzero(kinds == kind).tolist(), color, marker)
        for kind, (label, color, marker) in OTHERS.items()
        if (kinds == kind).any()
    ]


def gains(data: xr.Dataset, group: Group, name: str, times: NDArray[np.int64]) -> Gains:
    """Compute measured and predicted gains of `state` or `endpoint`, each perturbation at its own time."""
    number = np.arange(len(times))
    measured = data[name].values[:, :, group.chosen].mean(2)[number, :, times].T
    predicted = data[f"predicted_{name}"].values[:, group.chosen].mean(1)[number, times]
    interval = statistics.confidence_interval(measured)
    return Gains(interval.estimate, interval.low, interval.high, predicted)


def _points(axes: Axes, position: FloatArray, gain: Gains, group: Group) -> None:
    ends = np.maximum([gain.mean - gain.low, gain.high - gain.mean], 0)
    look: dict[str, Any] = {"fmt": group.marker, "ms": 4, "mec": "black", "mew": 0.4, "capsize": 1.5, "elinewidth": 0.8}
    axes.errorbar(position, gain.mean, ends, color=group.color, label=group.label, zorder=3, **look)


def _way(axes: Axes, data: xr.Dataset, found: list[Group], start: int) -> None:
    """Draw the difference of the states from the perturbation at `start` to the image: mean and closed form."""
    place = int(np.flatnonzero(data["perturbed_at"].values == start)[0])
    steps = np.arange(start, data.sizes["time"], dtype=np.float64)
    for group in found:
        measured = data["state"].values[place][:, group.chosen, start:].mean(1)
        predicted = data["predicted_state"].values[place][group.chosen, start:].mean(0)
        axes.plot(steps, measured.mean(0), color=group.color, ls="-", lw=1.8, alpha=0.8)
        axes.plot(steps, predicted, color="black", ls="--", lw=0.8)
    axes.axhline(1, color=style.MUTED, lw=0.6)


def _against(axes: Axes, all_gains: list[Gains], found: list[Group]) -> None:
    for gain, group in zip(all_gains, found, strict=True):
        _points(axes, gain.predicted, gain, group)
    top = max(max(gain.predicted.max(), gain.high.max()) for gain in all_gains) * 1.3
    bottom = min(-LINEAR / 8, 1.3 * min(gain.low.min() for gain in all_gains))
    line = np.append(0, np.geomspace(LINEAR / 100, max(top, LINEAR), 200))
    axes.plot(line, line, color="black", lw=0.8, ls="-")
    axes.set_xscale("symlog", linthresh=LINEAR)
    axes.set(xlim=(-LINEAR / 8, top), ylim=(bottom, top))
    style.symlog_ticks(axes.xaxis, top, LINEAR)


def _label(panels: tuple[Axes, Axes, Axes, Axes], steps: int, middle: int) -> None:
    headings = (
        "Effect on the image, by perturbation time",
        f"Along the way, perturbed at step {middle}",
        "Effect on the image",
        "Effect on the endpoint estimate, at once",
    )
    for axes, letter, heading in zip(panels, "ABCD", headings, strict=True):
        style.panel_title(axes, letter, heading)
        bottom, top = axes.get_ylim()
        axes.set_yscale("symlog", linthresh=LINEAR)
        axes.set_ylim(bottom if axes in panels[2:] else -LINEAR / 8, top)
        style.symlog_ticks(axes.yaxis, top, LINEAR)
        axes.set_ylabel("gain along its direction" if axes in panels[:2] else "measured gain")
        axes.set_xlabel("sampler step" if axes is panels[1] else "predicted gain")
    panels[0].set(xlabel="perturbed step (0 is noise)", xlim=(-0.03 * steps, steps))
    panels[1].set_xlim(middle, steps)
    for axes in panels[:2]:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
