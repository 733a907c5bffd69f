"""The jump against the closed form: with the exact denoiser, only the sampler's own error is left."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from underpainting import gaussian, teleport
from underpainting.denoisers import CountingDenoiser, DiffusersDenoiser, GaussianDenoiser
from underpainting.eigenbasis import Eigenbasis
from underpainting.noise import training_grid
from underpainting.sampling import SAMPLERS, Sampler, initial_noise, sample

SCHEDULE = DDIMScheduler(clip_sample=False)
STEPS = 20
NAMES = list(SAMPLERS)


def noise_of(basis: Eigenbasis) -> Tensor:
    return initial_noise(range(4), basis.image_shape).double()


def images_after(basis: Eigenbasis, sampler: Sampler, skip: int) -> Tensor:
    *_, last = teleport.walk(basis, sampler, GaussianDenoiser(basis), noise_of(basis), skip)
    return last.state


def error_of(basis: Eigenbasis, sampler: Sampler, images: Tensor) -> float:
    start = sampler.start(noise_of(basis))
    exact = gaussian.state(basis, start, sampler.grid[0], sampler.grid[sampler.steps])
    return float((images - exact).abs().max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skip", [1, 8, 19])
def test_a_jump_costs_no_more_than_the_sampler_itself(basis: Eigenbasis, name: str, skip: int) -> None:
    """With the exact denoiser; DPM-Solver++ is allowed the first-order step with which it begins anew."""
    sampler = Sampler(name, STEPS, SCHEDULE)
    begun = sampler if name != "dpmsolverpp" else Sampler(name, STEPS, SCHEDULE, solver_order=1)
    own = error_of(basis, begun, images_after(basis, begun, 0))
    assert error_of(basis, sampler, images_after(basis, sampler, skip)) <= own


@pytest.mark.parametrize("name", NAMES)
def test_the_closed_form_carries_all_the_way_with_many_steps(basis: Eigenbasis, name: str) -> None:
    sampler = Sampler(name, 500, SCHEDULE)
    assert error_of(basis, sampler, images_after(basis, sampler, 200)) < 0.007


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skip", [1, 7, 19])
def test_a_jump_lands_at_the_level_of_its_step(basis: Eigenbasis, name: str, skip: int) -> None:
    sampler = Sampler(name, STEPS, SCHEDULE)
    found = teleport.jump(basis, sampler, noise_of(basis), skip)
    start = sampler.start(noise_of(basis))
    assert torch.equal(found, gaussian.state(basis, start, sampler.grid[0], sampler.grid[skip]))
    assert (found - start).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_skipping_nothing_changes_nothing(network: UNet2DModel, name: str) -> None:
    """Bit for bit, whatever the basis."""
    eye = torch.eye(64, dtype=torch.float64)
    basis = Eigenbasis(eye[0], eye[:, :2], torch.ones(2, dtype=torch.float64), 2.0, (1, 8, 8))
    sampler, denoiser = Sampler(name, 4, SCHEDULE), DiffusersDenoiser(network, training_grid(SCHEDULE), "v_prediction")
    noise = initial_noise(range(2), (1, 8, 8))
    *_, last = teleport.walk(basis, sampler, denoiser, noise, skip=0)
    assert torch.equal(last.state, sample(sampler, denoiser, sampler.start(noise)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skip", [0, 6, 19])
def test_skipped_steps_are_not_walked_and_cost_nothing(basis: Eigenbasis, name: str, skip: int) -> None:
    counter = CountingDenoiser(GaussianDenoiser(basis))
    steps = list(teleport.walk(basis, Sampler(name, STEPS, SCHEDULE), counter, noise_of(basis), skip))
    assert [step.index for step in steps] == list(range(skip, STEPS + 1))
    assert counter.calls == (2 * (STEPS - skip) - 1 if name == "heun" else STEPS - skip)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skip", [-1, STEPS, STEPS + 1])
def test_a_skip_that_leaves_no_step_is_refused(basis: Eigenbasis, name: str, skip: int) -> None:
    with pytest.raises(ValueError, match=f"cannot skip {skip} of 20 steps: at least one step must be left"):
        teleport.jump(basis, Sampler(name, STEPS, SCHEDULE), noise_of(basis), skip)


def test_images_of_another_size_are_refused(basis: Eigenbasis) -> None:
    with pytest.raises(ValueError, match="do not fit an eigenbasis of 16 pixels"):
        teleport.jump(basis, Sampler("ddim", STEPS, SCHEDULE), torch.zeros(1, 1, 8, 8), 5)


def test_float32_noise_gives_a_float32_state(basis: Eigenbasis) -> None:
    assert teleport.jump(basis, Sampler("ddim", STEPS, SCHEDULE), noise_of(basis).float(), 5).dtype == torch.float32
