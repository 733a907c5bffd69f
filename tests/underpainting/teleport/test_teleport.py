"""The jump against the closed form: with the exact denoiser, only the sampler's own error is left."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser, DiffusersDenoiser
from underpainting.noise.grid_names import COVARIANCE
from underpainting.noise.levels import DATA, NoiseGrid, training_grid
from underpainting.noise.schedules import schedule_of
from underpainting.samplers import registry
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.schedulers import spread
from underpainting.samplers.walk import Sampler, sample
from underpainting.teleport import hybrid_sampler
from underpainting.teleport.jumps import GaussianJump
from underpainting.theory import flow, gaussian
from underpainting.theory.gaussian import GaussianDenoiser

SCHEDULE = DDIMScheduler(clip_sample=False)
STEPS = 20
NAMES = [name for name, kind in SAMPLERS.items() if not kind.relative]
DETERMINISTIC = [name for name in NAMES if not SAMPLERS[name].stochastic]


def noise_of(basis: Eigenbasis) -> Tensor:
    return initial_noise(range(4), basis.image_shape).double()


def images_after(basis: Eigenbasis, sampler: Sampler, skipped_steps: int) -> Tensor:
    *_, last = hybrid_sampler.walk(
        GaussianJump(basis), sampler, GaussianDenoiser(basis), noise_of(basis), skipped_steps, range(4)
    )
    return last.state


def error_of(basis: Eigenbasis, sampler: Sampler, images: Tensor) -> float:
    start = sampler.start(noise_of(basis))
    exact = gaussian.state(basis, start, sampler.grid[0], sampler.grid[sampler.steps])
    return float((images - exact).abs().max())


@pytest.mark.parametrize("name", DETERMINISTIC)
@pytest.mark.parametrize("skipped_steps", [1, 8, 19])
def test_a_jump_adds_nothing_to_the_samplers_own_error(basis: Eigenbasis, name: str, skipped_steps: int) -> None:
    """With the exact denoiser: what is left is what the sampler makes wrong when it is begun at that level with the exact state.

    The exact state there is integrated numerically (torchdiffeq), not taken from the closed form that the jump is.
    """
    sampler, denoiser = Sampler(name, STEPS, SCHEDULE), GaussianDenoiser(basis)
    here, start = sampler.grid[skipped_steps], sampler.start(noise_of(basis))
    *_, integrated = flow.walk(denoiser, start, NoiseGrid.of([sampler.grid[0], here]), "dopri8", rtol=1e-10, atol=1e-10)
    exact = sample(sampler, denoiser, integrated.state, skipped_steps)
    assert (images_after(basis, sampler, skipped_steps) - exact).abs().max() < 1e-6


@pytest.mark.parametrize("name", sorted({*DETERMINISTIC} - {"pndm"}))  # whose history, once it has one, errs least
@pytest.mark.parametrize("skipped_steps", [1, 8, 19])
def test_a_jump_costs_no_more_than_the_sampler_itself(basis: Eigenbasis, name: str, skipped_steps: int) -> None:
    """With the exact denoiser; multistep samplers are allowed a first-order start, which their own grid meets in noise alone."""
    sampler = Sampler(name, STEPS, SCHEDULE)
    first_order = "ddim" if sampler.kind.corrects == "none" else name
    own = max(
        error_of(basis, one, images_after(basis, one, 0)) for one in (sampler, Sampler(first_order, STEPS, SCHEDULE))
    )
    assert error_of(basis, sampler, images_after(basis, sampler, skipped_steps)) <= own


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_the_closed_form_carries_all_the_way_with_many_steps(basis: Eigenbasis, name: str) -> None:
    sampler = Sampler(name, 500, SCHEDULE)
    assert error_of(basis, sampler, images_after(basis, sampler, 200)) < 0.007


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddpm", "edmchurn"])
@pytest.mark.parametrize("skipped_steps", [0, 40])
def test_a_stochastic_sampler_ends_with_the_datas_moments_after_a_jump(
    basis: Eigenbasis, name: str, skipped_steps: int
) -> None:
    """An image is not the closed form's; all together have its mean and covariance, jump or not."""
    sampler, noise = Sampler(name, 100, SCHEDULE), initial_noise(range(4000), basis.image_shape).double()
    *_, last = hybrid_sampler.walk(
        GaussianJump(basis), sampler, GaussianDenoiser(basis), noise, skipped_steps, range(4000)
    )
    found = (last.state.flatten(1) - basis.mean) @ basis.vectors
    spread = basis.variances.sqrt()
    assert (found.mean(0).abs() < 0.08 * spread + 0.01).all()
    # along the smallest variances DDPM's own error of 100 steps is larger than what 4,000 images leave open
    assert found.var(0)[:3] == pytest.approx(basis.variances[:3], rel=0.15)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skipped_steps", [1, 7, 19])
def test_a_jump_lands_at_the_level_of_its_step(basis: Eigenbasis, name: str, skipped_steps: int) -> None:
    sampler = Sampler(name, STEPS, SCHEDULE)
    found = hybrid_sampler.state_at_step(GaussianJump(basis), sampler, noise_of(basis), skipped_steps)
    start = sampler.start(noise_of(basis))
    assert torch.equal(found, gaussian.state(basis, start, sampler.grid[0], sampler.grid[skipped_steps]))
    assert (found - start).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_skipping_nothing_changes_nothing(network: UNet2DModel, name: str) -> None:
    """Bit for bit, whatever the basis."""
    eye = torch.eye(64, dtype=torch.float64)
    basis = Eigenbasis(eye[0], eye[:, :2], torch.ones(2, dtype=torch.float64), 2.0, (1, 8, 8))
    sampler, denoiser = Sampler(name, 4, SCHEDULE), DiffusersDenoiser(network, training_grid(SCHEDULE), "v_prediction")
    noise = initial_noise(range(2), (1, 8, 8))
    *_, last = hybrid_sampler.walk(GaussianJump(basis), sampler, denoiser, noise, 0, range(2))
    assert torch.equal(last.state, sample(sampler, denoiser, sampler.start(noise), seeds=range(2)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skipped_steps", [0, 6, 19])
def test_skipped_steps_are_not_walked_and_cost_nothing(basis: Eigenbasis, name: str, skipped_steps: int) -> None:
    counter = CountingDenoiser(GaussianDenoiser(basis))
    sampler = Sampler(name, STEPS, SCHEDULE)
    steps = list(hybrid_sampler.walk(GaussianJump(basis), sampler, counter, noise_of(basis), skipped_steps, range(4)))
    assert [step.index for step in steps] == list(range(skipped_steps, STEPS + 1))
    assert counter.calls == registry.calls(name, STEPS - skipped_steps) == sampler.calls(skipped_steps)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skipped_steps", [-1, STEPS, STEPS + 1])
def test_a_jump_that_leaves_no_step_is_refused(basis: Eigenbasis, name: str, skipped_steps: int) -> None:
    with pytest.raises(ValueError, match=f"cannot skip {skipped_steps} of 20 steps: at least one step must be left"):
        hybrid_sampler.state_at_step(
            GaussianJump(basis), Sampler(name, STEPS, SCHEDULE), noise_of(basis), skipped_steps
        )


@pytest.mark.parametrize("skipped_percent", [0, 40])
def test_the_relative_sampler_is_exact_from_wherever_a_jump_lands(basis: Eigenbasis, skipped_percent: int) -> None:
    scheduler, start = DDIMScheduler(), hybrid_sampler.start_after(skipped_percent)
    schedule, noise = schedule_of(scheduler), noise_of(basis)
    sampler = hybrid_sampler.regridded("relative", schedule, 4, start, COVARIANCE, basis)
    jumped = hybrid_sampler.state_at_time(GaussianJump(basis), schedule, noise, start)
    state = jumped if skipped_percent else sampler.start(noise)
    first = schedule.level(1.0)
    expected = gaussian.state(basis, noise * spread(first), first, DATA)
    torch.testing.assert_close(sample(sampler, GaussianDenoiser(basis), state), expected, rtol=1e-9, atol=1e-9)
    if skipped_percent:
        assert sampler.grid[0] == pytest.approx(schedule.level(start)) and sampler.origin is None
    else:
        own = Sampler("relative", 4, scheduler, basis)
        assert sampler.origin == own.origin == first
        assert sampler.grid.sigma.tolist() == own.grid.sigma.tolist()


def test_what_needs_a_basis_says_so() -> None:
    for name, grid in (("relative", "time"), ("ddim", COVARIANCE)):
        with pytest.raises(ValueError, match=r"give the eigenbasis of the data|give it the eigenbasis"):
            hybrid_sampler.regridded(name, schedule_of(DDIMScheduler()), 4, 1.0, grid)


def test_images_of_another_size_are_refused(basis: Eigenbasis) -> None:
    with pytest.raises(ValueError, match="do not fit a basis of 16 pixels"):
        hybrid_sampler.state_at_step(GaussianJump(basis), Sampler("ddim", STEPS, SCHEDULE), torch.zeros(1, 1, 8, 8), 5)


def test_float32_noise_gives_a_float32_state(basis: Eigenbasis) -> None:
    assert (
        hybrid_sampler.state_at_step(
            GaussianJump(basis), Sampler("ddim", STEPS, SCHEDULE), noise_of(basis).float(), 5
        ).dtype
        == torch.float32
    )
