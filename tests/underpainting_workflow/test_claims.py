"""Claims: verdicts from intervals, and each topic's rows from datasets whose truth is known."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import sweeps
from underpainting.analysis import signed_rank
from underpainting.analysis.trajectory_errors import divergence_time
from underpainting.noise.levels import DATA, NoiseLevel
from underpainting.theory import isotropic
from underpainting.theory.isotropic import Isotropic
from underpainting_workflow.claims import (
    comparison,
    emergence,
    geometry,
    judge,
    paper,
    perturbation,
    retrieval,
    score,
    teleport,
)
from underpainting_workflow.claims.claim import Claim, exact, of_number

NUMBERS = st.floats(-1e3, 1e3)


def verdict(rows: list[Claim], start: str) -> str:
    """The verdict on the claim whose text starts so."""
    return next(row.reproduced for row in rows if row.claim.startswith(start))


def noisy(mean: float, shape: tuple[int, ...], spread: float = 0.01) -> np.ndarray:
    """Positive values around a mean, the same each time."""
    return mean * (1 + spread * np.random.default_rng(0).standard_normal(shape))


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_a_verdict_says_where_the_interval_lies(a: float, b: float, c: float, d: float) -> None:
    low, high = sorted((a, b))
    floor, ceiling = sorted((c, d))
    found = judge(low, high, floor, ceiling, ceiling + 1, ceiling + 2)
    points = np.linspace(low, high, 50)
    inside = (points >= floor) & (points <= ceiling)
    if found == "yes":
        assert inside.all()
    if found == "no":
        assert not inside.any()
    if found == "undecided":
        assert low < floor <= high or low <= ceiling < high


@given(*[NUMBERS] * 6)
def test_a_null_takes_away_a_yes_and_nothing_else(a: float, b: float, c: float, d: float, e: float, f: float) -> None:
    (low, high), (floor, ceiling), (null_low, null_high) = sorted((a, b)), sorted((c, d)), sorted((e, f))
    alone, found = judge(low, high, floor, ceiling), judge(low, high, floor, ceiling, null_low, null_high)
    if not floor <= low <= high <= ceiling:
        assert found == alone
        return
    assert alone == "undecided"
    null = np.linspace(null_low, null_high, 50)
    passes = (null >= floor) & (null <= ceiling)
    if found == "trivial":
        assert passes.all()
    else:
        assert null_low < floor or null_high > ceiling
        assert (found == "yes") == (high < null_low or null_high < low)


@given(*[NUMBERS] * 4)
def test_a_null_equal_to_what_is_measured_never_lets_a_claim_hold(a: float, b: float, c: float, d: float) -> None:
    (low, high), (floor, ceiling) = sorted((a, b)), sorted((c, d))
    assert judge(low, high, floor, ceiling, low, high) != "yes"


@given(NUMBERS, NUMBERS, NUMBERS)
def test_verdicts_do_not_change_with_the_sign(a: float, b: float, bound: float) -> None:
    low, high = sorted((a, b))
    assert judge(low, high, at_most=bound, null_low=bound + 1, null_high=bound + 2) == judge(
        -high, -low, at_least=-bound, null_low=-bound - 2, null_high=-bound - 1
    )


def test_no_interval_no_verdict() -> None:
    assert judge(nan, 1.0, at_most=2.0) == "undecided"
    assert judge(0.0, 1.0, at_most=2.0, null_low=nan, null_high=nan) == "undecided"
    assert judge(0.0, 1.0, at_most=2.0, null_low=3.0, null_high=inf) == "yes"


def test_a_number_is_judged_by_its_estimate_and_an_exact_null_has_equal_ends() -> None:
    row = of_number("small", "here", "", 0.1, 7, at_most=0.5, null=exact("always one", 1.0))
    assert (row.null_model, row.null, row.null_low, row.null_high, row.reproduced) == ("always one", 1, 1, 1, "yes")
    assert np.isnan(row.low) and row.n == 7
    assert of_number("small", "here", "", 0.1, 7, at_most=0.5, null=exact("always", 0.2)).reproduced == "trivial"
    assert np.isnan(of_number("small", "here", "", 0.1, 7, at_most=0.5).null)


def trajectories_like(rotation: float, peak: float) -> xr.Dataset:
    return xr.Dataset(
        {
            "top2": ("sample", noisy(0.001, (40,))),
            "plane": ("sample", noisy(0.003, (40,))),
            "rotation_caption": ("sample", noisy(rotation, (40,))),
            "rotation_peak": ("sample", noisy(peak, (40,))),
            "dim_state": ("sample", np.full(40, 2)),
            "dim_difference": ("sample", np.array([4, 5] * 20)),
            "dim_noise": ("sample", np.full(40, 8)),
            "null_top2": ("sample", noisy(0.1, (40,))),
            "null_plane": ("sample", noisy(0.2, (40,))),
            "null_rotation": ("sample", noisy(0.08, (40,))),
            "null_rotation_peak": ("sample", noisy(0.1, (40,))),
            "null_dim_state": ("sample", np.full(40, 20)),
            "null_dim_difference_gap": ("sample", np.zeros(40, np.int64)),
            "null_dim_noise_gap": ("sample", np.full(40, -1)),
        }
    )


def test_geometry_against_table_2() -> None:
    data = trajectories_like(0.017, 0.01).assign(
        plane=("sample", noisy(0.0025, (40,))), top2=("sample", noisy(0.0008, (40,)))
    )
    rows = geometry.claims(data, 100, 1000, "ddpm-mnist")
    assert {row.reproduced for row in rows} == {"yes"}
    assert all(row.null_model and row.null > row.estimate for row in rows[:4])
    assert [row.paper for row in rows[:3]] == ["0.08%", "0.26%", "1.70%"]
    bad = geometry.claims(trajectories_like(0.05, 0.2), 100, 1000, None)
    assert verdict(bad, "Squared norm not explained by the rotation") == "no"
    assert verdict(bad, "Largest squared departure") == "no"
    assert bad[0].paper == "0.02% to 0.08%"
    data["null_plane"] = data["plane"]
    assert verdict(geometry.claims(data, 100, 1000, None), "Squared norm outside the plane") == "trivial"


def test_the_bound_is_four_times_the_square_of_a_rank_over_the_pixels() -> None:
    bound = 4 * (1 - np.sqrt(2) / 2) ** 2 * 100 / 1000
    row = geometry.claims(trajectories_like(0.01, 0.02), 100, 1000, None)[-1]
    assert row.estimate == pytest.approx(trajectories_like(0.01, 0.02)["rotation_peak"].values.mean() / bound)


def errors_like(final: float, leaves: int, count: int = 40) -> xr.Dataset:
    """Errors that are small up to a step and grow to their final value."""
    curve = np.where(np.arange(51) < leaves, 1e-4, 0.02)
    curve[-1] = final
    return xr.Dataset(
        {
            "state_error": (("sample", "step"), curve * noisy(1.0, (count, 1))),
            "endpoint_error": (("sample", "step"), curve * noisy(1.0, (count, 1))),
            "component_error": (("sample", "component"), np.full((count, 10), 1e-3)),
        }
    )


def beside_isotropic(gaussian: xr.Dataset, isotropic: xr.Dataset) -> xr.Dataset:
    """The Gaussian's errors with those of the isotropic one, whose components are far off."""
    far = isotropic.assign(component_error=isotropic["component_error"] + 1)
    return gaussian.assign({f"isotropic_{name}": values for name, values in far.items()})


def test_theories_are_compared_seed_by_seed() -> None:
    finals = {"gaussian": (0.1, 30), "mixture": (0.08, 30), "point_cloud": (0.3, 25)}
    models = {name: errors_like(*final, count=200) for name, final in finals.items()}
    models["gaussian"] = beside_isotropic(models["gaussian"], errors_like(0.5, 10, count=200))
    rows = comparison.claims(models, 5)
    assert {row.reproduced for row in rows} == {"yes"}
    assert divergence_time(models["gaussian"]) == pytest.approx(np.full(200, 30 / 50))
    turned = comparison.claims({**models, "point_cloud": errors_like(0.05, 40, count=200)}, 5)
    assert verdict(turned, "Final images: squared error of the Gaussian minus that of the exact") == "no"
    assert verdict(turned, "The exact score departs") == "no"
    shared = comparison.claims(models | {"gaussian": beside_isotropic(models["gaussian"], models["gaussian"])}, 5)
    assert verdict(shared, "The Gaussian predicts the state") == "trivial"
    assert (
        verdict(shared, "Final images: squared error of the Gaussian minus that of the exact score: mean") == "trivial"
    )


def significance(mixture: float, spread: float, count: int) -> Claim:
    """The row that compares p values, of a mixture and a Gaussian with the error 0.1."""
    gaussian = beside_isotropic(errors_like(0.1, 30, count), errors_like(0.5, 10, count))
    other = errors_like(mixture, 30, count)
    other["state_error"][:, -1] = mixture + spread * np.random.default_rng(1).standard_normal(count)
    rows = comparison.claims({"gaussian": gaussian, "mixture": other}, 5)
    return next(row for row in rows if "Wilcoxon" in row.claim)


def test_a_p_value_is_compared_with_a_p_value() -> None:
    row = significance(0.08, 1e-4, 200)
    assert (row.reproduced, row.paper, row.null, row.null_low) == ("yes", "p < 1e-10", 0.5, 0.025)
    assert "cannot give less" not in row.claim
    smaller = significance(0.0999, 0.001, 200)
    assert 1e-10 < smaller.estimate < 0.5 and smaller.reproduced == "no"


def test_few_pairs_cannot_give_the_printed_p_and_say_so() -> None:
    row = significance(0.08, 1e-4, 20)
    assert row.reproduced == "undecided" and "(20 pairs cannot give less than 1e-06)" in row.claim
    assert row.estimate == pytest.approx(2.0**-20)
    assert significance(0.2, 1e-4, 20).reproduced == "no", "the wrong sign needs no more pairs"


@pytest.mark.parametrize(("count", "least"), [(20, 2.0**-20), (64, 2e-12)])
def test_the_smallest_p_of_so_many_pairs(count: int, least: float) -> None:
    assert signed_rank.smallest_p_value(count) == pytest.approx(least, rel=0.2)
    random = np.random.default_rng(count)
    assert signed_rank.p_value(random.standard_normal(count)) > signed_rank.smallest_p_value(count)
    assert signed_rank.p_value(np.zeros(count)) == 1.0


def test_the_gaussian_alone_gives_its_own_claims() -> None:
    rows = comparison.claims({"gaussian": beside_isotropic(errors_like(0.1, 10), errors_like(0.1, 10))}, 10)
    assert [row.reproduced for row in rows] == ["no", "no"]


def test_emergence_in_order_or_not() -> None:
    variance = np.geomspace(4, 0.01, 12)
    data = xr.Dataset(
        {
            "distance": (("sample", "step"), np.linspace(0.001, 1, 21) * noisy(1.0, (30, 1))),
            "outside": (("sample", "step"), np.full((30, 21), 1e-3)),
            "null_distance": ("sample", noisy(0.8, (30,))),
            "manifold_rank": 40,
            "mean_variance": 100.0,
            **{f"rank_correlation{end}": value for end, value in (("", 0.97), ("_low", 0.93), ("_high", 0.99))},
            **{f"mean_ratio{end}": value for end, value in (("", 1.0), ("_low", 0.95), ("_high", 1.05))},
            **{
                f"measured_{end}": ("component", np.sqrt(variance) * shift)
                for end, shift in (("ratio", 1), ("low", 0.9), ("high", 1.1))
            },
            "predicted_ratio": ("component", np.sqrt(variance)),
            "basis_variance": ("basis_component", variance),
            "basis_frequency": ("basis_component", np.linspace(1, 5, 12)),
        }
    )
    rows = emergence.claims(data, 64)
    assert {row.reproduced for row in rows} == {"yes"}
    assert next(row for row in rows if "on the manifold" in row.claim).null == (64 - 40) / 64
    assert next(row for row in rows if "in the order" in row.claim).null_high == pytest.approx(1.96 / np.sqrt(11))
    late = data.assign({f"mean_ratio{end}": data[f"mean_ratio{end}"] * 3 for end in ("", "_low", "_high")})
    assert verdict(emergence.claims(late, 64), "Components emerge where sigma") == "no"
    rising = data.assign(basis_frequency=("basis_component", np.linspace(5, 1, 12)))
    assert verdict(emergence.claims(rising, 64), "Large variance means") == "no"


def test_the_null_of_the_place_of_emergence_is_one_prediction_for_all_components() -> None:
    random = np.random.default_rng(0)
    predicted, measured = np.exp(random.standard_normal((2, 9)))
    measured[4] = np.nan  # never emerges
    seen = np.isfinite(measured)
    ratio = float(np.exp(np.log(measured / predicted)[seen].mean()))
    data = xr.Dataset(
        {
            "distance": (("sample", "step"), noisy(1.0, (5, 3))),
            "outside": (("sample", "step"), np.full((5, 3), 1e-3)),
            "null_distance": ("sample", noisy(0.8, (5,))),
            "manifold_rank": 4,
            "mean_variance": 0.3,
            "measured_ratio": ("component", measured),
            "predicted_ratio": ("component", predicted),
            "basis_variance": ("component", predicted**2),
            "basis_frequency": ("component", 1 / predicted),
            **{f"{name}{end}": ratio for name in ("rank_correlation", "mean_ratio") for end in ("", "_low", "_high")},
        }
    )
    row = next(row for row in emergence.claims(data, 9) if "where sigma" in row.claim)
    assert row.null == pytest.approx(float(np.exp(np.log(measured[seen] / 0.3**0.5).mean())))


def perturbed_like(factor: float) -> xr.Dataset:
    """Two perturbations along three components, one random, one off the manifold; measured = factor times predicted."""
    random = np.random.default_rng(0)
    final = np.array([[2.5, 2.0, 0.1, 0.3, 0.001], [1.6, 1.5, 0.6, 0.4, 0.002]])
    gains = np.repeat(final[:, None, :, None], 20, 1) * (1 + 0.01 * random.standard_normal((2, 20, 5, 1)))
    gains = np.repeat(gains, 3, 3)
    predicted = np.repeat(final[:, :, None], 3, 2)
    return xr.Dataset(
        {
            "state": (("step", "sample", "direction", "time"), factor * gains),
            "state_norm": (("step", "sample", "direction", "time"), factor * gains),
            "endpoint": (("step", "sample", "direction", "time"), factor * gains),
            "predicted_state": (("step", "direction", "time"), predicted),
            "predicted_endpoint": (("step", "direction", "time"), predicted),
            "perturbed_at": ("step", [0, 1]),
            "variance": ("direction", [4.0, 1.0, 0.05, 0.5, 0.0]),
            "mean_variance": 1.0,
            "alpha": ("time", [0.1, 0.5, 1.0]),
            "sigma": ("time", [0.99**0.5, 0.75**0.5, 0.0]),
        },
        attrs={"kinds": ["component"] * 3 + ["random", "off_manifold"]},
    )


def test_gains_on_and_off_theory() -> None:
    rows = perturbation.claims(perturbed_like(1.0))
    assert len(rows) == 8
    assert {row.reproduced for row in rows} == {"yes"}
    assert rows[0].estimate == pytest.approx(1.0, abs=0.02)
    assert (
        verdict(
            perturbation.claims(perturbed_like(0.5)),
            "Gain of the image from perturbations along components, measured against theory: slope",
        )
        == "no"
    )


def test_the_null_of_gains_is_the_closed_form_of_an_isotropic_gaussian() -> None:
    data = perturbed_like(1.0).assign(mean_variance=0.3)
    model = Isotropic(torch.zeros(1, 2, 2, dtype=torch.float64), 0.3)
    unit = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    unit[..., 0, 0] = 1
    for step, found in enumerate(perturbation.isotropic(data)["final"]):
        level = NoiseLevel(float(data["alpha"][step]), float(data["sigma"][step]))
        assert found == pytest.approx(float(isotropic.state(model, unit, level, DATA).sum()))
        assert perturbation.isotropic(data)["endpoint"][step] == pytest.approx(
            float(isotropic.endpoint(model, unit, level).sum())
        )
    rows = perturbation.claims(data)
    smallest = next(row for row in rows if "smallest variance" in row.claim)
    assert smallest.reproduced == "trivial" and smallest.null_low == smallest.null_high
    assert {row.null for row in rows[-2:]} == {1.0}


def test_gain_of_the_endpoint_is_read_at_the_step_of_the_perturbation() -> None:
    data = perturbed_like(1.0)
    data["endpoint"][0, :, :, 1:] = np.nan
    data["endpoint"][1, :, :, [0, 2]] = np.nan
    fitted = perturbation.fits(data, np.array([True, True, True, False, False]))
    assert float(fitted["endpoint"].slope.estimate) == pytest.approx(1.0, abs=0.02)


def test_score_explained_and_contrasts() -> None:
    ratios = [0.05, 0.2, 1.5]
    shares = np.array([[0.26, 0.2, 0.5, 0.9], [0.11, 0.08, 0.3, 0.7], [0.01, 0.009, 0.02, 0.3]])
    total = noisy(1.0, (3, 50))
    data = xr.Dataset(
        {
            "residual": (("ratio", "model", "sample"), shares[:, :, None] * total[:, None]),
            "total": (("ratio", "sample"), total),
            "noise_to_signal": ("ratio", ratios),
        },
        attrs={"models": ["gaussian", "mixture", "point_cloud", "isotropic"]},
    )
    rows = score.claims(data, "ddpm-cifar10-32")
    assert len(rows) == 6
    assert {row.reproduced for row in rows} == {"yes"}
    assert rows[0].paper == "0.7346"
    assert [row.claim for row in score.claims(data, None)] == [row.claim for row in rows[3:]]
    data["residual"][2, 3] = 0.012 * total[2]
    assert verdict(score.claims(data, None), "At high noise") == "trivial"
    assert score.explained(data, "gaussian", 0.2).estimate == pytest.approx(0.89)
    with pytest.raises(ValueError, match="was not measured"):
        score.explained(data, "gaussian", 0.3)


def test_retrieval_of_the_exact_score_and_of_the_network() -> None:
    data = xr.Dataset(
        {
            "distance": (("origin", "sample"), np.stack([noisy(0.2, (120,)), noisy(0.001, (120,))])),
            "ratio": (("origin", "sample"), np.stack([noisy(0.9, (120,)), noisy(0.01, (120,))])),
            "null_distance": ("null", noisy(0.1, (20,))),
        },
        attrs={"origins": ["network", "point_cloud"]},
    )
    assert [row.reproduced for row in retrieval.claims(data)] == ["yes", "yes"]
    network = retrieval.claims(data)[-1]
    assert (network.low, network.null, network.null_high) == (0.0, 1.0, 1.0) and network.high == pytest.approx(
        0.0303, abs=1e-3
    )
    few = data.isel(sample=slice(30))
    assert retrieval.claims(few)[-1].reproduced == "undecided"  # none of 30 is at most 12 %
    data["ratio"][0] = 0.1
    assert retrieval.claims(data)[-1].reproduced == "no"
    alone = data.isel(origin=[0]).assign_attrs(origins=["network"])
    assert [row.null_low for row in retrieval.claims(alone)] == [1.0]
    data["null_distance"][:] = 1e-4
    assert retrieval.claims(data)[0].reproduced == "trivial"


def test_teleport_counts_what_can_be_skipped() -> None:
    losses = {0: 0.0, 10: 0.0, 20: 0.025, 30: 1.0}
    rows = teleport.claims(sweeps.truncated("ddim-50", losses), "ddim-50", 50)
    assert [row.reproduced for row in rows[:4]] == ["yes"] * 4
    assert ["FD (classifier)" in row.claim for row in rows[:4]] == [True, True, False, False]
    assert ["FD (autoencoder)" in row.claim for row in rows[:4]] == [False, False, True, True]
    assert rows[0].estimate == pytest.approx(0.4)
    assert (rows[1].low, rows[1].high) == (pytest.approx(1.015), pytest.approx(1.035))
    assert (rows[0].null, rows[1].null) == (0.0, pytest.approx(4.0))
    worse = teleport.claims(sweeps.truncated("ddim-50", {0: 0.0, 20: 0.045}), "ddim-50", 50)
    assert worse[1].reproduced == "undecided"
    shared = teleport.claims(sweeps.truncated("ddim-50", losses, null=losses), "ddim-50", 50)
    assert [row.reproduced for row in shared[:4]] == ["trivial"] * 4
    later = teleport.claims(sweeps.truncated("ddim-50", {0: 0.0, 10: 0.2, 20: 0.0}), "ddim-50", 50)
    assert [row.reproduced for row in later[:2]] == ["no", "yes"], "what a longer jump loses is another claim"
    alone = sweeps.truncated("ddim-50", {10: 0.0, 20: 0.0})
    assert teleport.claims(alone, "ddim-50", 50) == []


def test_the_papers_values_are_those_of_its_table() -> None:
    assert paper.geometry("ddpm-celebahq-256", "dim_noise", "{}") == "7"
    assert paper.geometry(None, "dim_state", "{}") == "2"


def test_bounds_are_printed_values_and_half_a_unit_of_their_last_digit() -> None:
    assert paper.bound("ddpm-mnist", "plane") == pytest.approx(0.00265)
    assert paper.bound(None, "plane") == pytest.approx(0.00315), "the largest of pixel space"
    assert paper.bound("stable-diffusion-v1-5", "rotation") == pytest.approx(0.02495)
    assert (paper.bound(None, "dim_state"), paper.bound("stable-diffusion-v1-5", "dim_state")) == (2, 5)
    rows = geometry.claims(trajectories_like(0.01, 0.01), 100, 1000, "ddpm-mnist")
    assert rows[1].claim.endswith("at most 0.265 %")
