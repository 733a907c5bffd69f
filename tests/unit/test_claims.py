"""Claims: verdicts from intervals, and each room's rows from datasets whose truth is known."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.unit import sweeps
from underpainting.claims import comparison, emergence, geometry, judge, paper, perturbation, retrieval, score, teleport
from underpainting.claims.claim import Claim
from underpainting.measures.departure import departure

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
    found = judge(low, high, floor, ceiling)
    points = np.linspace(low, high, 50)
    inside = (points >= floor) & (points <= ceiling)
    if found == "yes":
        assert inside.all()
    if found == "no":
        assert not inside.any()
    if found == "undecided":
        assert low < floor <= high or low <= ceiling < high


def test_no_interval_no_verdict() -> None:
    assert judge(nan, 1.0, at_most=2.0) == "undecided"
    assert judge(-inf, inf) == "yes"


def trajectories_like(rotation: float, peak: float) -> xr.Dataset:
    return xr.Dataset(
        {
            "top2": ("sample", noisy(0.001, (40,))),
            "plane": ("sample", noisy(0.003, (40,))),
            "rotation": ("sample", noisy(rotation, (40,))),
            "rotation_peak": ("sample", noisy(peak, (40,))),
            "dim_state": ("sample", np.full(40, 2)),
            "dim_difference": ("sample", np.array([4, 5] * 20)),
            "dim_noise": ("sample", np.full(40, 8)),
        }
    )


def test_geometry_against_table_2() -> None:
    rows = geometry.claims(trajectories_like(0.017, 0.01), 100, 1000, "ddpm-mnist")
    assert {row.reproduced for row in rows} == {"yes"}
    assert [row.paper for row in rows[:3]] == ["0.08%", "0.26%", "1.70%"]
    bad = geometry.claims(trajectories_like(0.05, 0.2), 100, 1000, None)
    assert verdict(bad, "Variance that the rotation") == "no"
    assert verdict(bad, "Largest squared departure") == "no"
    assert bad[0].paper == "0.02% to 0.08%"


def test_the_bound_is_four_times_the_square_of_a_rank_over_the_pixels() -> None:
    bound = 4 * (1 - np.sqrt(2) / 2) ** 2 * 100 / 1000
    row = geometry.claims(trajectories_like(0.01, 0.02), 100, 1000, None)[-1]
    assert row.estimate == pytest.approx(trajectories_like(0.01, 0.02)["rotation_peak"].values.mean() / bound)


def errors_like(final: float, leaves: int) -> xr.Dataset:
    """Errors that are small up to a step and grow to their final value."""
    curve = np.where(np.arange(51) < leaves, 1e-4, 0.02)
    curve[-1] = final
    return xr.Dataset(
        {
            "state_error": (("sample", "step"), curve * noisy(1.0, (40, 1))),
            "endpoint_error": (("sample", "step"), curve * noisy(1.0, (40, 1))),
            "component_error": (("sample", "component"), np.full((40, 10), 1e-3)),
        }
    )


def test_theories_are_compared_seed_by_seed() -> None:
    models = {"gaussian": errors_like(0.1, 30), "mixture": errors_like(0.08, 30), "point_cloud": errors_like(0.3, 25)}
    rows = comparison.claims(models, 5)
    assert {row.reproduced for row in rows} == {"yes"}
    assert departure(models["gaussian"]) == pytest.approx(np.full(40, 30 / 50))
    turned = comparison.claims({**models, "point_cloud": errors_like(0.05, 40)}, 5)
    assert verdict(turned, "Final images: squared error of the Gaussian less that of the exact") == "no"
    assert verdict(turned, "The exact score leaves") == "no"


def test_the_gaussian_alone_gives_its_own_claims() -> None:
    rows = comparison.claims({"gaussian": errors_like(0.1, 10)}, 10)
    assert [row.reproduced for row in rows] == ["no", "no"]


def test_emergence_in_order_or_not() -> None:
    variance = np.geomspace(4, 0.01, 12)
    data = xr.Dataset(
        {
            "distance": (("sample", "step"), np.linspace(0.001, 1, 21) * noisy(1.0, (30, 1))),
            "outside": (("sample", "step"), np.full((30, 21), 1e-3)),
            **{f"rank_correlation{end}": value for end, value in (("", 0.97), ("_low", 0.93), ("_high", 0.99))},
            **{f"mean_ratio{end}": value for end, value in (("", 1.0), ("_low", 0.9), ("_high", 1.1))},
            "basis_variance": ("basis_component", variance),
            "basis_frequency": ("basis_component", np.linspace(1, 5, 12)),
        }
    )
    assert {row.reproduced for row in emergence.claims(data)} == {"yes"}
    late = data.assign({f"mean_ratio{end}": data[f"mean_ratio{end}"] * 3 for end in ("", "_low", "_high")})
    assert verdict(emergence.claims(late), "They emerge where sigma") == "no"
    rising = data.assign(basis_frequency=("basis_component", np.linspace(5, 1, 12)))
    assert verdict(emergence.claims(rising), "Large variance means") == "no"


def pushes_like(factor: float) -> xr.Dataset:
    """Two pushes along three components, one random, one off the manifold; measured = factor times predicted."""
    random = np.random.default_rng(0)
    final = np.array([[2.0, 1.0, 0.1, 0.3, 0.001], [1.2, 1.0, 0.6, 0.4, 0.002]])
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
        },
        attrs={"kinds": ["component"] * 3 + ["random", "off_manifold"]},
    )


def test_gains_on_and_off_theory() -> None:
    rows = perturbation.claims(pushes_like(1.0))
    assert len(rows) == 8
    assert {row.reproduced for row in rows} == {"yes"}
    assert rows[0].estimate == pytest.approx(1.0, abs=0.02)
    assert (
        verdict(
            perturbation.claims(pushes_like(0.5)),
            "Gain of the image from pushes along components, measured against theory: slope",
        )
        == "no"
    )


def test_gain_at_once_is_read_at_the_step_of_the_push() -> None:
    data = pushes_like(1.0)
    data["endpoint"][0, :, :, 1:] = np.nan
    data["endpoint"][1, :, :, [0, 2]] = np.nan
    fitted = perturbation.fits(data, np.array([True, True, True, False, False]))
    assert float(fitted["at_once"].slope.estimate) == pytest.approx(1.0, abs=0.02)


def test_score_explained_and_contrasts() -> None:
    ratios = [0.05, 0.2, 1.5]
    shares = np.array([[0.26, 0.2, 0.5], [0.11, 0.08, 0.3], [0.01, 0.009, 0.02]])
    total = noisy(1.0, (3, 50))
    data = xr.Dataset(
        {
            "residual": (("ratio", "model", "sample"), shares[:, :, None] * total[:, None]),
            "total": (("ratio", "sample"), total),
            "noise_to_signal": ("ratio", ratios),
        },
        attrs={"models": ["gaussian", "mixture", "point_cloud"]},
    )
    rows = score.claims(data)
    assert len(rows) == 6
    assert {row.reproduced for row in rows} == {"yes"}
    assert score.explained(data, "gaussian", 0.2).estimate == pytest.approx(0.89)
    with pytest.raises(ValueError, match="was not measured"):
        score.explained(data, "gaussian", 0.3)


def test_retrieval_of_the_exact_score_and_of_the_network() -> None:
    data = xr.Dataset(
        {
            "distance": (("origin", "sample"), np.stack([noisy(0.2, (100,)), noisy(0.001, (100,))])),
            "ratio": (("origin", "sample"), np.stack([noisy(0.9, (100,)), noisy(0.01, (100,))])),
        },
        attrs={"origins": ["network", "point_cloud"]},
    )
    assert [row.reproduced for row in retrieval.claims(data)] == ["yes", "yes"]
    few = data.isel(sample=slice(30))
    assert retrieval.claims(few)[-1].reproduced == "undecided"  # none of 30 is at most 12 %
    data["ratio"][0] = 0.1
    assert retrieval.claims(data)[-1].reproduced == "no"


def test_teleport_counts_what_can_be_skipped() -> None:
    rows = teleport.claims(sweeps.truncated("ddim-50", {0: 0.0, 10: 0.0, 20: 0.025, 30: 1.0}), "ddim-50", 50)
    assert [row.reproduced for row in rows[:2]] == ["yes", "yes"]
    assert rows[0].estimate == pytest.approx(0.4)
    assert (rows[1].low, rows[1].high) == (pytest.approx(1.015), pytest.approx(1.035))
    worse = teleport.claims(sweeps.truncated("ddim-50", {0: 0.0, 20: 0.045}), "ddim-50", 50)
    assert worse[1].reproduced == "undecided"
    alone = sweeps.truncated("ddim-50", {10: 0.0, 20: 0.0})
    assert teleport.claims(alone, "ddim-50", 50) == []


def test_the_papers_values_are_those_of_its_table() -> None:
    assert paper.geometry("ddpm-celebahq-256", "dim_noise", "{}") == "7"
    assert paper.geometry(None, "dim_state", "{}") == "2"
