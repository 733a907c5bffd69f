"""Figures of the theories beside the sampler, from made-up results: legible, complete, and showing what they are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from tests.helpers import legible
from underpainting.noise.levels import VariancePreserving
from underpainting.plotting import components, endpoints, models, style, validation

LABELS = {
    "network": "DPM-Solver++, 25 steps, trailing",
    "gaussian": "Gaussian",
    "mixture": "Gaussian mixture",
    "point_cloud": "point cloud",
}
GREY, RGB = (1, 8, 8), (3, 6, 6)


def errors(steps: int, parts: int, size: float = 0.1, seeds: int = 12) -> xr.Dataset:
    """Errors that grow from exactly zero, and noise scales."""
    random = np.random.default_rng(parts)
    growth = np.geomspace(1e-7, size, steps + 1) * random.lognormal(sigma=0.4, size=(seeds, steps + 1))
    growth[:, 0] = 0
    along = np.geomspace(1, 1e-3, parts) * random.chisquare(1, (seeds, parts))
    levels = [VariancePreserving().level(float(time)) for time in np.linspace(1, 1e-3, steps + 1)]
    return xr.Dataset(
        {
            "state_error": (("sample", "step"), growth),
            "endpoint_error": (("sample", "step"), growth + 1e-6),
            "component_error": (("sample", "component"), along),
            "sigma": ("step", [level.sigma for level in levels]),
        }
    )


def theories(steps: int = 50, parts: int = 64) -> dict[str, xr.Dataset]:
    """Errors of three models of different quality."""
    sizes = {"gaussian": 0.12, "mixture": 0.07, "point_cloud": 0.14}
    return {name: errors(steps, parts, size) for name, size in sizes.items()}


def pictures(count: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(count).uniform(-1, 1, (count, *shape))


def draw_table(shape: tuple[int, ...], seeds: int) -> Figure:
    names = list(LABELS)
    finals = {name: pictures(seeds, shape) for name in (*names, "nearest")}
    labels = {**LABELS, "nearest": "nearest, in training"}
    walks = {name: pictures(51, shape) for name in names}
    return models.table(walks, finals, list(range(seeds)), theories(50, 300), labels, 9 if seeds > 3 else 20)


def draw_validation(shape: tuple[int, ...], seeds: int) -> Figure:
    walk, final, variances = pictures(51, shape), pictures(seeds, shape), np.geomspace(3, 1e-12, 64)
    numbers = list(range(10_000, 10_000 + seeds))
    return validation.validation((walk, walk), (final, final), numbers, errors(50, 64), variances, LABELS, 9)


def draw_components(count: int) -> Figure:
    walks = np.random.default_rng(0).normal(size=(9, 51, count))
    names = [*(f"along $u_{{{number}}}$" for number in range(1, count)), "off the manifold"]
    return components.components(walks, walks, np.geomspace(300, 1e-14, count), names)


FIGURES: dict[str, Callable[[], Figure]] = {
    "by model": lambda: models.by_model(theories(), LABELS),
    "by model, alone": lambda: models.by_model({"gaussian": errors(6, 9)}, LABELS),
    "table, grey": lambda: draw_table(GREY, 10),
    "table, colour": lambda: draw_table(RGB, 3),
    "validation, grey": lambda: draw_validation(GREY, 10),
    "validation, colour": lambda: draw_validation(RGB, 3),
    "components": lambda: draw_components(8),
    "components, few": lambda: draw_components(3),
    "endpoints, grey": lambda: endpoints.endpoints({7: pictures(51, GREY), 8: pictures(51, GREY)}, LABELS["network"]),
    "endpoints, colour": lambda: endpoints.endpoints({123: pictures(9, RGB)}, LABELS["network"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_legible(name: str) -> None:
    legible.check(FIGURES[name])


def test_final_errors_of_a_seed_are_joined() -> None:
    data = theories()
    axes = models.by_model(data, LABELS).axes[1]
    (lines,) = (
        found for found in axes.collections if isinstance(found, LineCollection) and len(found.get_segments()) == 12
    )
    expected = [[data[name]["state_error"].values[seed, -1] for name in data] for seed in range(12)]
    np.testing.assert_allclose([segment[:, 1] for segment in lines.get_segments()], expected)


def test_parts_of_the_error_are_fractions_of_the_whole() -> None:
    """Components that span all pixels hold the whole error, so their parts sum to one."""
    data = errors(5, 64)
    data["state_error"][:, -1] = data["component_error"].sum("component") / 64
    figure = models.table(
        {"network": pictures(6, GREY)}, {"network": pictures(2, GREY)}, [0, 1], {"mixture": data}, LABELS, 3
    )
    (axes,) = (axes for axes in figure.axes if axes.get_xlabel() == "component $k$")
    (line,) = axes.lines
    np.testing.assert_allclose(np.sum(line.get_ydata()), 1)


def test_every_step_is_in_the_dense_table_or_evenly_chosen() -> None:
    for steps, expected in ((51, range(51)), (101, range(0, 101, 2)), (160, [*range(0, 160, 4), 159])):
        figure = endpoints.endpoints({0: pictures(steps, (1, 2, 2))}, "DDIM")
        shown = [int(tick.get_text()) for axes in figure.axes for tick in axes.get_xticklabels()]
        assert shown == list(expected)


def test_directions_spread_over_the_components_with_variance() -> None:
    variances = np.append(np.geomspace(3, 1e-5, 61), [1e-17, 0, 0])
    chosen = components.spread(variances)
    assert chosen[0] == 0 and chosen[-1] == 60 and len(chosen) == 7
    assert components.spread(np.array([1.0, 0.0])).tolist() == [0]


def test_coefficients_are_drawn_beside_the_closed_form() -> None:
    walks = np.random.default_rng(0).normal(size=(2, 5, 3))
    figure = components.components(walks, walks + 1, np.array([1.0, 0.1, 0.0]), ["a", "b", "c"])
    drawn = [line.get_ydata() for line in figure.axes[1].lines]
    np.testing.assert_allclose(drawn, [walks[0, :, 1], walks[0, :, 1] + 1, walks[1, :, 1], walks[1, :, 1] + 1])


def test_models_keep_their_colours_and_differ() -> None:
    looks = [style.model_style(name) for name in LABELS]
    assert len({look["color"] for look in looks}) == len({str(look) for look in looks}) == 4
    with style.style_sheet():
        figure = models.by_model(theories(), LABELS)
    drawn = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    assert all(drawn[LABELS[name]] == style.model_style(name)["color"] for name in LABELS if name != "network")


def test_short_numbers() -> None:
    assert [style.format_number(value) for value in (0.0, 2.74, 0.031, 312.2)] == ["0", "2.7", "0.031", "312"]
    assert style.format_number(4.2e-5) == r"$4\times10^{-5}$"
