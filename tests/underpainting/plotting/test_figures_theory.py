"""Figures of what else the theory says, from made-up results: legible, complete, and showing what they are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from tests.helpers import legible
from underpainting.noise.levels import VariancePreserving
from underpainting.plotting import early_checkpoints, emergence, perturbation, residual, retrieval, score, style
from underpainting_workflow.claims import paper

LABELS = {
    "network": "DPM-Solver++, 25 steps, trailing",
    "gaussian": "Gaussian",
    "mixture": "Gaussian mixture",
    "point_cloud": "point cloud",
}
GREY, RGB = (1, 8, 8), (3, 6, 6)


def perturbed(kinds: list[str], size: float = 2.0, count: int = 4) -> xr.Dataset:
    """Gains that go from one to their ends, NaN before the perturbation, with seeds 10 % around the prediction."""
    random, steps = np.random.default_rng(0), 5 * count
    ends = np.append(np.geomspace(size, 0.2, len(kinds) - 1), 1e-3)
    at, time = 5 * np.arange(count), np.arange(steps + 1)
    part = np.clip((time - at[:, None]) / (steps - at[:, None]), 0, 1)[:, None]
    gain = 1 + (ends[:, None] - 1) * part
    gain[np.broadcast_to(time < at[:, None, None], gain.shape)] = np.nan
    measured = gain[:, None] * random.normal(1, 0.1, (1, 9, len(kinds), 1))
    number = np.cumsum([kind == "component" for kind in kinds]) - 1
    dims = ("step", "sample", "direction", "time")
    return xr.Dataset(
        {
            "state": (dims, measured),
            "endpoint": (dims, measured * 0.8),
            "predicted_state": (("step", "direction", "time"), gain),
            "predicted_endpoint": (("step", "direction", "time"), gain * 0.8),
            "perturbed_at": ("step", at),
            "component": ("direction", np.where(np.array(kinds) == "component", number, -1)),
        },
        attrs={"kinds": kinds},
    )


def emerging(count: int) -> xr.Dataset:
    """Slopes by theory's formula, with a measured variance twice the predicted."""
    levels = [VariancePreserving().level(float(time)) for time in np.linspace(1, 1e-3, 51)]
    variance = np.geomspace(30, 0.01, count)
    ratio = np.array([level.ratio for level in levels])[:, None]
    return xr.Dataset(
        {
            "slope": (("step", "component"), (1 + ratio**2 / (2 * variance)) ** -0.5),
            "predicted_slope": (("step", "component"), (1 + ratio**2 / variance) ** -0.5),
            "predicted_ratio": ("component", variance**0.5),
            "measured_ratio": ("component", (2 * variance) ** 0.5),
            "measured_low": ("component", (1.5 * variance) ** 0.5),
            "measured_high": ("component", (2.5 * variance) ** 0.5),
            "frequency": ("component", np.linspace(1, 4, count)),
            "variance": ("component", variance),
            "rank_correlation": 0.987,
            "rank_correlation_low": 0.9,
            "rank_correlation_high": 0.99,
            "alpha": ("step", [level.alpha for level in levels]),
            "sigma": ("step", [level.sigma for level in levels]),
        }
    )


def explained(models: list[str]) -> xr.Dataset:
    """Scores of which the first model explains 1 - 0.1 / ratio, the next ones less."""
    random, ratio = np.random.default_rng(0), np.array([0.02, 0.1, 1.0, 10.0])
    total = random.chisquare(8, (len(ratio), 20))
    parts = (0.1 / ratio)[:, None, None] * (1 + np.arange(len(models)))[:, None] * total[:, None]
    return xr.Dataset(
        {
            "residual": (("ratio", "model", "sample"), parts),
            "total": (("ratio", "sample"), total),
            "noise_to_signal": ("ratio", ratio),
        },
        attrs={"models": models},
    )


def near(origins: list[str]) -> xr.Dataset:
    """Distances and ratios, one of which has no value, as for a double in the training set."""
    random = np.random.default_rng(0)
    distance, ratio = random.uniform(0.1, 0.6, (len(origins), 30)), random.uniform(0.5, 1, (len(origins), 30))
    baseline = random.uniform(0.1, 0.5, 40)
    return xr.Dataset(
        {
            "distance": (("origin", "sample"), distance),
            "ratio": (("origin", "sample"), ratio),
            "baseline_distance": ("training", baseline),
            "baseline_ratio": ("training", np.append(baseline[1:], np.nan)),
        },
        attrs={"origins": origins},
    )


def draw_retrieval(shape: tuple[int, ...], seeds: int, origins: list[str]) -> Figure:
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, seeds, *shape))
    return retrieval.retrieval(near(origins), *pictures, list(range(seeds)), LABELS)


def networks(extractor: str) -> Figure:
    rows = [
        {
            "training_step": step,
            "skipped_steps": skipped,
            "error": (900 / step - 1 + skipped / 50) / 10,
            "fd": 90 / step,
        }
        | {"floor": 0.05, "n": 9}
        for step in (900, 10, 100)
        for skipped in (0, 20)
    ]
    return early_checkpoints.early_checkpoints(pd.DataFrame(rows), LABELS["network"], extractor)


def trainings(forms: list[str], extractor: str) -> Figure:
    rows = [
        {"form": form, "seed": seed, "steps": steps, "fd": 900 / steps + seed + number}
        | {"floor": 0.4, "loss": 0.3 + 5 / steps}
        for number, form in enumerate(forms)
        for seed in range(3)
        for steps in (100, 300, 900)
    ]
    return residual.residual(pd.DataFrame(rows), extractor)


KINDS = [*["component"] * 5, "random", "random", "off_manifold", "off_manifold"]
FIGURES: dict[str, Callable[[], Figure]] = {
    "perturbation": lambda: perturbation.perturbation(perturbed(KINDS), LABELS["network"]),
    "perturbation, large": lambda: perturbation.perturbation(perturbed(KINDS[3:], 80), LABELS["network"]),
    "perturbation, a single one": lambda: perturbation.perturbation(perturbed(KINDS[4:6], count=1), LABELS["network"]),
    "emergence": lambda: emergence.emergence(emerging(20)),
    "emergence, few": lambda: emergence.emergence(emerging(3)),
    "score": lambda: score.score(explained(["gaussian", "mixture", "point_cloud"]), LABELS, {}),
    "score, printed": lambda: score.score(explained(["gaussian"]), LABELS, paper.SCORE_EXPLAINED),
    "retrieval, grey": lambda: draw_retrieval(GREY, 8, list(LABELS)),
    "retrieval, colour": lambda: draw_retrieval(RGB, 12, ["network", "gaussian"]),
    "residual": lambda: trainings(["none", "blend"], "classifier"),
    "residual, all, FID": lambda: trainings(list(residual.LABELS), "inception-v3-compat"),
    "early_checkpoints": lambda: networks("classifier"),
    "early_checkpoints, FID": lambda: networks("inception-v3-compat"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_legible(name: str) -> None:
    legible.check(FIGURES[name])


def test_gains_are_those_of_the_group_at_its_times() -> None:
    data = perturbed(KINDS)
    (group,) = [found for found in perturbation.groups(data) if found.label == "at random"]
    assert group.chosen == [5, 6]
    times = np.array([20, 20, 19, 18])
    found = perturbation.gains(data, group, "endpoint", times)
    for number, time in enumerate(times):
        at = data.isel(step=number, time=time, direction=[5, 6])
        np.testing.assert_allclose(found.mean[number], at["endpoint"].mean())
        np.testing.assert_allclose(found.predicted[number], at["predicted_endpoint"].mean())
    assert (found.low < found.mean).all() and (found.mean < found.high).all()


def test_directions_are_grouped_by_kind() -> None:
    found = perturbation.groups(perturbed(KINDS))
    assert [group.label for group in found] == [*(f"$u_{{{k}}}$" for k in range(1, 6)), "at random", "off the manifold"]
    assert sorted(place for group in found for place in group.chosen) == list(range(9))


def test_the_line_of_equality_passes_through_exact_predictions() -> None:
    data = perturbed(KINDS)
    data["state"][:] = data["predicted_state"].expand_dims(sample=9, axis=1)
    axes = perturbation.perturbation(data, "DDIM").axes[2]
    points = np.concatenate([line.get_xydata() for line in axes.lines if line.get_marker() in ("o", "s", "^")])
    assert len(points) == 4 * 7
    np.testing.assert_allclose(points[:, 0], points[:, 1])


def test_emergence_shows_its_numbers() -> None:
    texts = legible.check(lambda: emergence.emergence(emerging(5)))
    assert "rank correlation\n0.987 [0.900, 0.990]" in texts


def test_fractions_explained_and_their_intervals() -> None:
    data = explained(["gaussian", "mixture"])
    found = score.explained(data["residual"].values[:, 1], data["total"].values)
    np.testing.assert_allclose(found.estimate, 1 - 0.2 / data["noise_to_signal"])
    np.testing.assert_allclose(found.low, found.estimate)  # the same fraction of every image
    residual = np.random.default_rng(1).chisquare(2, (1, 400))
    wide = score.explained(residual, np.full((1, 400), 8.0))
    spread = 1.96 * residual.std() / 8 / 20
    np.testing.assert_allclose([wide.estimate - wide.low, wide.high - wide.estimate], [[spread]] * 2, rtol=0.15)


def test_printed_values_stand_where_the_authors_have_them() -> None:
    figure = score.score(explained(["gaussian"]), LABELS, {0.05: 0.74, 1.5: 0.99})
    left, right = (next(line for line in axes.lines if line.get_linestyle() == "None") for axes in figure.axes)
    np.testing.assert_allclose(left.get_xydata(), [[0.05, 0.74], [1.5, 0.99]])
    np.testing.assert_allclose(right.get_ydata(), [0.26, 0.01])


def test_distances_are_shown_as_fractions_below() -> None:
    data = near(["network", "gaussian"])
    axes = draw_retrieval(GREY, 3, ["network", "gaussian"]).axes[0]
    line = next(line for line in axes.lines if line.get_label() == LABELS["network"])
    for value, fraction in line.get_xydata()[1:]:
        np.testing.assert_allclose(fraction, (data["distance"].values[0] <= value).mean())


def test_the_trained_network_alone_is_the_level_of_comparison() -> None:
    axes = networks("classifier").axes
    level = next(line for line in axes[1].lines if line.get_label() == "trained network alone")
    np.testing.assert_allclose(level.get_ydata(), 0.1)
    assert {len(line.get_xdata()) for line in axes[0].lines} == {2, 3}  # zero has no place on a logarithmic axis


def test_ticks_of_gains_reach_the_top_and_no_further() -> None:
    axes = Figure().add_subplot()
    for top, expected in ((2.5, [0, 0.1, 0.2, 0.5, 1, 2]), (40.0, [0, 0.1, 1, 10]), (0.05, [0])):
        style.symlog_ticks(axes.yaxis, top, 0.1)
        np.testing.assert_allclose(axes.get_yticks(), expected)


def test_the_null_model_of_the_score_is_not_drawn() -> None:
    with_null, without = (
        score.score(explained(names), LABELS, {}) for names in (["gaussian", "isotropic"], ["gaussian"])
    )
    assert [len(axes.lines) for axes in with_null.axes] == [len(axes.lines) for axes in without.axes]


def test_components_are_named_from_one() -> None:
    labels = [group.label for group in perturbation.groups(perturbed(KINDS))]
    assert labels[:2] == ["$u_{1}$", "$u_{2}$"]
