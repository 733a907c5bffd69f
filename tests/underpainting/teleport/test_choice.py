"""The choice of sampler, grid and jump: exact on Gaussian data, the best on a mixture whose flow is known, within its budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EDMEulerScheduler, FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.bases import make_basis
from tests.underpainting.samplers.test_relative import Pair, rms, solution
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser
from underpainting.noise.covariance_grid import covariance_grid
from underpainting.noise.schedules import schedule_of
from underpainting.samplers.registry import calls as calls_of
from underpainting.samplers.relative import variances_of
from underpainting.teleport import choice
from underpainting.teleport.choice import BUDGET, FINER, Candidate, candidates, choose, make_images
from underpainting.theory.gaussian import GaussianDenoiser

PIXELS = 12
SCHEDULERS: dict[str, Any] = {
    "variance preserving": DDIMScheduler(),
    "EDM": EDMEulerScheduler(),
    "flow matching": FlowMatchEulerDiscreteScheduler(),
}


def centred(variances: list[float], seed: int) -> Eigenbasis:
    made = make_basis(PIXELS, variances, seed)
    return replace(made, mean=torch.zeros_like(made.mean))


GAUSSIAN = centred([0.09, 0.04, 0.02, *np.linspace(0.01, 1e-4, PIXELS - 3)], 0)


def noise_of(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, 1, PIXELS, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("calls", [1, 4])
def test_on_gaussian_data_the_choice_is_exact(kind: str, calls: int) -> None:
    found = choose(GaussianDenoiser(GAUSSIAN), SCHEDULERS[kind], GAUSSIAN, noise_of(4), calls)
    assert found.best.sampler == "relative"
    assert found.estimates[0].rmse < 1e-10 and len(found.estimates[0].errors) == 4
    others = [one.rmse for one in found.estimates if one.candidate.sampler != "relative"]
    assert min(others) > 1e-4


def mixture() -> tuple[Pair, Eigenbasis]:
    """Two Gaussians, and the Gaussian of all their data, in [-1, 1]."""
    parts = centred([0.02, 0.01, 0.005, *np.linspace(0.004, 1e-4, PIXELS - 3)], 4)
    variances = parts.variances + torch.tensor([0.09, *[0.0] * (PIXELS - 1)])
    return Pair(parts, 0.3), replace(parts, variances=variances, total_variance=float(variances.sum()))


@pytest.mark.parametrize(
    ("moments", "calls"), [*(("of the data", calls) for calls in (3, 5, 8)), ("of other data", 5), ("of other data", 8)]
)
def test_on_a_mixture_the_choice_is_the_best_of_all_by_its_known_flow(moments: str, calls: int) -> None:
    denoiser, data = mixture()
    if moments == "of other data":
        data = centred([4.0] * PIXELS, 7)
    scheduler, other = SCHEDULERS["EDM"], noise_of(60, 1)
    expected = solution(denoiser, 80.0 * other, 80.0, 1e-6)
    errors = {
        one: rms(make_images(one, denoiser, scheduler, data, other), expected)
        for one in candidates(schedule_of(scheduler), data, calls)
    }
    found = choose(denoiser, scheduler, data, noise_of(8), calls)
    assert errors[found.best] <= 1.15 * min(errors.values()), (found.best, errors)
    assert errors[found.best] < 0.7 * np.median(list(errors.values()))  # not all are as good
    assert {found.best.sampler == "relative", found.reference.sampler == "relative"} == {moments == "of the data"}


@pytest.mark.parametrize("images", [1, 5, 8])
@pytest.mark.parametrize("calls", [1, 4, 10])
def test_the_calls_stay_within_the_budget(calls: int, images: int) -> None:
    denoiser, data = mixture()
    counting = CountingDenoiser(denoiser)
    found = choose(counting, DDIMScheduler(), data, noise_of(images), calls)
    assert (found.calls, found.evaluations) == (counting.calls, counting.evaluations)
    needed = calls * ((FINER + 1) * (images + 2) + len(found.estimates) - 1)
    assert found.evaluations <= max(BUDGET * calls * images, needed)
    assert {one.candidate for one in found.estimates} == {*candidates(schedule_of(DDIMScheduler()), data, calls)}
    judged = [len(one.errors) for one in found.estimates]
    assert judged[0] == images and judged == sorted(judged, reverse=True) and judged[-1] == 1


@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 3000))
def test_rounds_judge_one_candidate_by_all_images_and_keep_to_the_budget(count: int, images: int, more: int) -> None:
    budget = count + images - 1 + more
    rounds = list(choice._rounds(count, images, budget))
    assert [begin for begin, _, _ in rounds] == [0, *(end for _, end, _ in rounds[:-1])] and rounds[-1][1] == images
    kept = [kept for *_, kept in rounds]
    assert kept[0] == count and kept[-1] >= 1 and kept == sorted(kept, reverse=True)
    assert sum(kept * (end - begin) for begin, end, kept in rounds) <= budget
    if more >= count * images:  # enough for all
        assert kept[-1] == count


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("calls", [1, 2, 6])
def test_candidates_call_the_network_as_often_as_wanted_and_jump_over_one_step(kind: str, calls: int) -> None:
    schedule = schedule_of(SCHEDULERS[kind])
    found = candidates(schedule, GAUSSIAN, calls)
    assert len(set(found)) == len(found) and found[0] == Candidate("relative", "covariance", calls)
    assert all(calls - 1 <= calls_of(one.sampler, one.steps) <= calls for one in found)
    assert ("heun" in {one.sampler for one in found}) == (calls > 2)
    for one in found:
        if one.skipped_fraction:
            landed = schedule.level(1 - one.skipped_fraction).ratio
            if one.grid == "covariance":
                expected = covariance_grid(schedule, one.steps, variances_of(GAUSSIAN), after_jump=True)[0].ratio
            else:
                expected = schedule.grid(one.steps + 1)[1].ratio
            assert landed == pytest.approx(expected, rel=0.02)


def test_no_single_image_decides_and_what_is_no_number_is_last() -> None:
    errors = np.full((2, 8), 0.01) * [[1.0], [4.0]]
    errors[0, 3] = 1.0
    better, worse = (choice.Estimate(Candidate("ddim", "time", 4), one) for one in errors)
    assert better.rmse > worse.rmse and better.typical < worse.typical
    assert worse.typical == pytest.approx(worse.rmse) == pytest.approx(0.2)
    assert choice.Estimate(better.candidate, np.append(errors[0], np.nan)).typical == np.inf
    assert 0 <= choice.Estimate(better.candidate, np.zeros(3)).typical < 1e-100


def test_errors_say_what_to_do() -> None:
    denoiser, data = mixture()
    with pytest.raises(ValueError, match="0 network calls make no image; give 1 or more"):
        choose(denoiser, DDIMScheduler(), data, noise_of(4), 0)
    with pytest.raises(ValueError, match="basis is one of 1 x 1 x 12 images, the network makes 1 x 3 x 4"):
        choose(denoiser, DDIMScheduler(), data, noise_of(4).reshape(4, 1, 3, 4), 4)
    with pytest.raises(ValueError, match="26 candidates need a budget of 103 calls per image or more"):
        choose(denoiser, DDIMScheduler(), data, noise_of(2), 5, budget=102)
    assert choose(denoiser, DDIMScheduler(), data, noise_of(2), 5, budget=103).evaluations <= 206
