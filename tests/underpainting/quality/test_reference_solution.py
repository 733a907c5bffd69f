"""The network's own images: against the closed form of Gaussian data, and what a wrong jump leaves of its error for good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from tests.helpers.bases import make_basis
from underpainting.analysis.statistics import Interval
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser
from underpainting.noise.levels import DATA, NoiseLevel
from underpainting.noise.schedules import EDMSchedule, FlowSchedule, Schedule, karras_grid_from, schedule_of
from underpainting.quality import reference_solution
from underpainting.quality.distances import interval_columns
from underpainting.samplers import registry
from underpainting.teleport.jumps import GaussianJump, Jump
from underpainting.theory import gaussian
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting.theory.isotropic import IsotropicDenoiser

SCHEDULES: dict[str, Schedule] = {
    "variance preserving": schedule_of(DDIMScheduler()),
    "EDM": EDMSchedule(),
    "flow matching": FlowSchedule(),
}


def small_images() -> Eigenbasis:
    """Gaussian images so near to grey that hardly any pixel leaves [-1, 1]."""
    basis = make_basis(16, [0.04, 0.01, 0.003, 0.0005], 0)
    return replace(basis, mean=0.1 * basis.mean)


BASIS = small_images()


def states_at(level: NoiseLevel, count: int = 6) -> Tensor:
    """Noised images of `BASIS`."""
    noise = torch.randn(2, count, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spread = BASIS.vectors * BASIS.variances.sqrt()
    clean = BASIS.mean + noise[0, :, : len(BASIS.variances)] @ spread.T
    return (level.alpha * clean + level.sigma * noise[1]).reshape(count, *BASIS.image_shape)


def exact(states: Tensor, level: NoiseLevel) -> Tensor:
    return gaussian.state(BASIS, states, level, DATA)


@pytest.mark.parametrize("time", [1.0, 0.6, 0.3])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_the_error_falls_with_the_square_of_the_steps(kind: str, time: float) -> None:
    """Towards the endpoint estimate at the least noisy level, which is where the last step of any number of them leads."""
    schedule = SCHEDULES[kind]
    level = schedule.level(time)
    least = karras_grid_from(schedule, level.ratio, 8)[7]
    states = states_at(level)
    limit = gaussian.endpoint(BASIS, gaussian.state(BASIS, states, level, least), least)
    solved = [
        reference_solution.solve(GaussianDenoiser(BASIS), schedule, states, level, steps) for steps in (25, 50, 100)
    ]
    errors = [float((images - limit).square().mean().sqrt()) for images in solved]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.35)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.35)
    assert (solved[-1] - exact(states, level)).abs().max() < 0.01


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_state_of_the_same_noise_to_signal_ratio_on_another_path_gives_the_same_images(kind: str) -> None:
    schedule = SCHEDULES[kind]
    level = schedule.level(0.5)
    there = NoiseLevel(2 * level.alpha, 2 * level.sigma)
    here = reference_solution.solve(GaussianDenoiser(BASIS), schedule, states_at(level), level, 6)
    other = reference_solution.solve(GaussianDenoiser(BASIS), schedule, 2 * states_at(level), there, 6)
    torch.testing.assert_close(here, other)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_start_at_the_least_noisy_level_ends_too(kind: str) -> None:
    schedule = SCHEDULES[kind]
    level = schedule.level(1e-3 if kind == "flow matching" else 0.0)
    images = reference_solution.solve(GaussianDenoiser(BASIS), schedule, states_at(level), level, 3)
    assert (images - exact(states_at(level), level)).abs().max() < 0.01


def test_every_step_costs_two_calls_but_the_last() -> None:
    schedule = SCHEDULES["variance preserving"]
    counting, level = CountingDenoiser(GaussianDenoiser(BASIS)), schedule.level(0.7)
    reference_solution.solve(counting, schedule, states_at(level), level, 9)
    assert counting.calls == registry.calls(reference_solution.SAMPLER, 9) == 17


def test_images_are_cut_to_their_range() -> None:
    schedule = SCHEDULES["EDM"]
    bright = replace(BASIS, mean=BASIS.mean + 3)
    level = schedule.level(1.0)
    images = reference_solution.solve(GaussianDenoiser(bright), schedule, states_at(level), level, 20)
    assert images.min() >= -1 and images.max() == 1


@pytest.mark.parametrize("ratio", [0.5, 0.15])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_what_a_wrong_jump_moves_stays_moved_however_finely_the_rest_is_solved(kind: str, ratio: float) -> None:
    schedule = SCHEDULES[kind]
    first, here = schedule.level(1.0), schedule.at(ratio)
    noise = first.sigma * states_at(NoiseLevel(0.0, 1.0), 40)
    own = exact(noise, first)

    def bias(jump: Jump, steps: int) -> float:
        images = reference_solution.solve(GaussianDenoiser(BASIS), schedule, jump(noise, first, here), here, steps)
        return float(reference_solution.rmse_interval(reference_solution.squared_errors(images, own)).estimate)

    wrong = IsotropicDenoiser(BASIS).state
    closed_form = float((exact(wrong(noise, first, here), here) - own).square().mean().sqrt())
    assert closed_form > 0.003
    assert bias(wrong, 60) == pytest.approx(closed_form, rel=0.05)
    assert bias(GaussianJump(BASIS), 60) < 0.2 * closed_form


def test_errors_are_those_of_numpy() -> None:
    random = np.random.default_rng(0)
    images, own = random.uniform(-1.5, 1.5, (5, 3, 4, 4)), random.uniform(-1, 1, (5, 3, 4, 4))
    found = reference_solution.squared_errors(torch.from_numpy(images).float(), torch.from_numpy(own))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.square(images.clip(-1, 1) - own).mean((1, 2, 3)), rtol=1e-6)


def test_the_root_mean_square_is_the_root_of_the_mean_and_not_the_mean_of_roots() -> None:
    errors = np.random.default_rng(0).gamma(2.0, 1e-3, 300)
    found = reference_solution.rmse_interval(errors)
    assert found.estimate == pytest.approx(np.sqrt(errors.mean()))
    half = 1.96 * errors.std() / np.sqrt(300) / (2 * np.sqrt(errors.mean()))  # to first order
    assert (found.low, found.high) == pytest.approx((found.estimate - half, found.estimate + half), rel=0.01)


def test_a_loss_is_a_ratio_of_roots_in_which_what_the_seeds_share_cancels() -> None:
    reference = np.random.default_rng(0).gamma(0.5, 1e-3, 100)
    found = reference_solution.relative_loss(1.21 * reference, reference)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    same = reference_solution.relative_loss(reference, reference)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    other = np.random.default_rng(1).gamma(0.5, 1e-3, 100)
    apart = reference_solution.relative_loss(other, reference)
    assert apart.estimate == pytest.approx(np.sqrt(other.mean() / reference.mean()) - 1)
    assert apart.low < apart.estimate < apart.high


def test_columns_bear_the_name_and_its_ends() -> None:
    one, two, three = (np.asarray(value) for value in (2.0, 1.0, 4.0))
    assert interval_columns("a", *Interval(one, two, three, 9)[:3]) == {"a": 2.0, "a_low": 1.0, "a_high": 4.0}
