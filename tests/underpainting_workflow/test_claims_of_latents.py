"""Claims about latents from measurements whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from underpainting_workflow.claims import latents
from underpainting_workflow.claims.claim import Claim
from underpainting_workflow.claims.latents import Geometries

PROMPTS, SEEDS, SCALES = 4, 6, (1.0, 7.5)
SAMPLERS = {"pndm-50": "PNDM", "ddim-50": "DDIM", "lms-50": "LMS"}


def around(mean: float, *shape: int, seed: int = 0) -> np.ndarray:
    return mean * (1 + 0.02 * np.random.default_rng(seed).standard_normal((PROMPTS * SEEDS, *shape)))


def labels() -> dict[str, tuple[str, np.ndarray]]:
    prompt, seed = np.divmod(np.arange(PROMPTS * SEEDS), SEEDS)
    return {"prompt": ("sample", prompt), "seed": ("sample", 100 + seed)}


def shape(bent: float = 0.03, oscillation: float = 0.01, dimension: int = 3) -> xr.Dataset:
    """The geometry of trajectories like those of Table 2."""
    values = {"top2": 0.001, "plane": 0.003, "rotation_caption": 0.01, "oscillation": oscillation}
    nulls = {"null_top2": 0.3, "null_plane": 0.2, "null_rotation": 0.1, "null_dim_state": 30.0}
    counts = {"dim_state": dimension, "dim_difference": dimension + 8, "dim_noise": dimension + 6}
    gaps = {"null_dim_difference_gap": 0, "null_dim_noise_gap": -1}
    found = {name: ("sample", around(value)) for name, value in (values | nulls).items()}
    found |= {name: ("sample", np.full(PROMPTS * SEEDS, value)) for name, value in (counts | gaps).items()}
    explained = np.stack([1 - around(bent), np.ones(PROMPTS * SEEDS)], 1)
    return xr.Dataset({**found, "explained_state": (("sample", "component"), explained), **labels()})


def geometries(lms: float = 0.03) -> Geometries:
    """Only PNDM at high guidance oscillates; LMS is straight in its own units, in which every sampler is."""
    common = {
        name: {
            scale: shape(
                bent=lms if name == "lms-50" else 0.03,
                oscillation=0.8 if (name, scale) == ("pndm-50", 7.5) else 0.01,
                dimension=3 if scale == 1 else 5,
            )
            for scale in SCALES
        }
        for name in SAMPLERS
    }
    of_data = {name: {scale: shape(bent=1e-4) for scale in SCALES} for name in SAMPLERS}
    return Geometries(common, of_data, SAMPLERS)


def perturbed(early: float, component: float) -> xr.Dataset:
    """Distances that fall or rise with time, and are larger along components by a factor."""
    times = np.linspace(early, 1, 6)[:, None, None]
    factor = np.array([component, component, 1])[:, None]
    size = np.array([-2.0, 2.0])
    gain = np.array([1.5, 1.5, 0.3])[:, None]
    grid = ("sample", "step", "direction", "strength")
    distance = around(1, 6, 3, 2) * times * factor
    projection = (around(1, 6, 3, 2) * gain * size)[..., None]
    return xr.Dataset(
        {
            "distance": (grid, distance),
            "latent_distance": (grid, distance),
            "projection": ((*grid, "time"), projection),
            "component": ("direction", [1, 5, -1]),
            "size": ("strength", size),
            **labels(),
        },
        attrs={"distance": "distance in features"},
    )


def finals(lms: float) -> xr.Dataset:
    distance = np.stack([0 * around(1), around(0.05), around(lms)])[:, None].repeat(2, 1)
    runs = ("sampler", "guidance", "sample")
    return xr.Dataset(
        {"distance": (runs, distance), "seed_distance": (runs[1:], around(1)[None].repeat(2, 0)), **labels()},
        attrs={
            "samplers": list(SAMPLERS),
            "labels": list(SAMPLERS.values()),
            "scales": list(SCALES),
            "distance": "distance in features",
        },
    )


def rows(early: float = 2.0, component: float = 2.0, lms: float = 0.03, far: float = 0.8) -> list[Claim]:
    shapes = geometries(lms)
    responses = {scale: perturbed(early, component) for scale in SCALES}
    return latents.claims(shapes, 7.5, responses, finals(far))


def verdicts(found: list[Claim], part: str) -> set[str]:
    chosen = {row.reproduced for row in found if part in row.claim}
    assert chosen, part
    return chosen


def test_claims_hold_where_they_are_true() -> None:
    found = rows()
    for part in (
        "top two principal components",
        "the plane of noise and image",
        "Differences of states take more components than states",
        "at guidance 7.5 than at 1",
        "PNDM at guidance 1 is smooth",
        "PNDM oscillates more than DDIM",
        "early perturbations",
        "more than random ones",
        "are amplified",
        "decay",
        "images of DDIM and PNDM",
        "images of LMS",
    ):
        assert verdicts(found, part) == {"yes"}, part
    assert verdicts(found, "than noise predictions") == {"trivial"}, "a pure rotation has the same property"
    assert {row.n for row in found} == {PROMPTS * SEEDS}


def test_claims_fail_where_they_are_false() -> None:
    found = rows(early=0.5, component=0.5, far=0.05)
    for part in ("early perturbations", "more than random ones", "images of LMS"):
        assert verdicts(found, part) == {"no"}, part


def test_straight_trajectories_are_a_matter_of_units() -> None:
    found = rows()
    assert verdicts(found, "LMS is straighter than DDIM, both in units of x_t") == {"no"}
    assert verdicts(found, "LMS as diffusers keeps it") == {"trivial"}
    assert verdicts(rows(lms=0.003), "LMS is straighter than DDIM, both in units of x_t") == {"yes"}


def test_intervals_are_those_of_clusters() -> None:
    """Values that differ between prompts alone have an interval of as many values as there are prompts."""
    data = xr.Dataset(labels())
    by_prompt = np.repeat(np.random.default_rng(1).standard_normal(PROMPTS), SEEDS)
    found = latents.interval(data, by_prompt)
    assert found.n == PROMPTS * SEEDS
    half = float(found.high - found.low) / 2
    assert half > 3 * by_prompt.std() / (PROMPTS - 1) ** 0.5 * 0.9


def test_one_scale_or_sampler_makes_fewer_claims() -> None:
    shapes = geometries()
    alone = Geometries({"pndm-50": {7.5: shapes.common["pndm-50"][7.5]}}, {"pndm-50": {}}, SAMPLERS)
    assert latents.of_guidance(alone, 7.5) == latents.of_oscillation(alone, 7.5) == latents.of_units(alone, 7.5) == []


@pytest.mark.parametrize("seed", range(3))
def test_no_effect_is_not_reproduced(seed: int) -> None:
    data = perturbed(1, 1).assign(distance=(("sample", "step", "direction", "strength"), around(1, 6, 3, 2, seed=seed)))
    found = latents.of_perturbation(data, 1.0)
    for row in found:
        if "distance in features" in row.claim:
            assert row.reproduced != "yes", row


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "yes"), (2.0, "no")])
def test_projections_are_compared_with_theory(factor: float, expected: str) -> None:
    gain = np.array([1.5, 1.5, 0.3])[None, None, :, None] * np.ones((PROMPTS * SEEDS, 6, 1, 1)) / factor
    data = perturbed(2, 2).assign(predicted=(("sample", "step", "direction", "time"), gain))
    assert verdicts(latents.of_perturbation(data, 1.0), "against theory") == {expected}
