"""Ways to make latents under prompts: their network calls, and what they are made of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.helpers.bases import make_basis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample
from underpainting.teleport.jumps import ClassJump
from underpainting.teleport.prompted import Approach, Kind, PreparedApproach, PromptBases, PromptBatch

PROMPTS = ["red one", "one on red", "red"]
OF_LATENTS = [0, 1, 1, 2]
STEPS, SKIPPED = 5, 2


def gaussian(seed: int, size: int, shape: tuple[int, ...]) -> Eigenbasis:
    flat = make_basis(size, [2.0 / (1 + k) for k in range(size)], seed)
    return Eigenbasis(flat.mean, flat.vectors, flat.variances, flat.total_variance, shape)


@pytest.fixture(scope="module")
def model(latent_folder: Path) -> LatentModel:
    return LatentModel.load(latent_folder)


@pytest.fixture(scope="module")
def bases(model: LatentModel) -> PromptBases:
    size = torch.Size(model.latent_shape).numel()
    common, *prompts = (gaussian(seed, size, model.latent_shape) for seed in range(4))
    return PromptBases(common, prompts)


def batch(model: LatentModel, scale: float, chosen: list[int] | None = None) -> PromptBatch:
    places = list(range(4)) if chosen is None else chosen
    prompts = [OF_LATENTS[place] for place in places]
    denoiser = model.denoiser(model.embed([PROMPTS[prompt] for prompt in prompts]), Guidance(scale))
    return PromptBatch(initial_noise(range(4), model.latent_shape)[places], prompts, denoiser)


def made(model: LatentModel, bases: PromptBases, approach: Approach, scale: float = 3.0) -> tuple[Tensor, int]:
    with torch.inference_mode():
        return PreparedApproach(approach, model.schedule, bases).make(batch(model, scale))


@pytest.mark.parametrize("sampler", ["ddim", "dpmsolverpp"])
@pytest.mark.parametrize(("kind", "calls"), [("plain", 3), ("jump", 3), ("relative", 3), ("interval", 5)])
def test_network_calls(model: LatentModel, bases: PromptBases, sampler: str, kind: Kind, calls: int) -> None:
    approach = Approach(kind, sampler, STEPS, SKIPPED)
    unguided = SKIPPED if kind == "interval" else 0
    assert made(model, bases, approach, 3.0)[1] == 2 * (calls - unguided) + unguided
    assert made(model, bases, approach, 1.0)[1] == calls
    prepared = PreparedApproach(approach, model.schedule, bases)
    assert [prepared.calls(scale) for scale in (3.0, 1.0)] == [2 * (calls - unguided) + unguided, calls]


def test_a_plain_run_is_the_samplers_own_with_the_steps_that_remain(model: LatentModel, bases: PromptBases) -> None:
    given = batch(model, 3.0)
    sampler = Sampler("ddim", STEPS - SKIPPED, model.schedule)
    with torch.inference_mode():
        expected = sample(sampler, given.denoiser, sampler.start(given.noise))
    assert torch.equal(made(model, bases, Approach("plain", "ddim", STEPS, SKIPPED))[0], expected)


def test_a_jump_goes_on_from_the_gaussian_of_each_prompt(model: LatentModel, bases: PromptBases) -> None:
    given, sampler = batch(model, 3.0), Sampler("ddim", STEPS, model.schedule)
    jump = ClassJump(bases.prompts, OF_LATENTS)
    with torch.inference_mode():
        state = jump(sampler.start(given.noise), sampler.grid[0], sampler.grid[SKIPPED])
        expected = sample(sampler, given.denoiser, state, SKIPPED)
    approach = Approach("jump", "ddim", STEPS, SKIPPED)
    assert torch.equal(made(model, bases, approach)[0], expected)
    assert PreparedApproach(approach, model.schedule, bases).start == sampler.grid[SKIPPED]


def test_guidance_of_the_jump_changes_latents_and_no_calls(model: LatentModel, bases: PromptBases) -> None:
    plain, guided = (
        made(model, bases, Approach("jump", "ddim", STEPS, SKIPPED, jump_guidance=scale)) for scale in (1.0, 3.0)
    )
    assert plain[1] == guided[1] and not torch.allclose(plain[0], guided[0], atol=0.1)
    nearly = made(model, bases, Approach("jump", "ddim", STEPS, SKIPPED, jump_guidance=1 + 1e-9))
    assert torch.allclose(plain[0], nearly[0], atol=1e-4)


def test_guidance_is_off_at_the_first_steps_of_an_interval(model: LatentModel, bases: PromptBases) -> None:
    """The state at the first guided step is that without guidance; without skipped steps all are guided."""
    given, sampler = batch(model, 3.0), Sampler("ddim", STEPS, model.schedule)
    with torch.inference_mode():
        states = [step.state for step in sampler.walk(given.denoiser.conditional, sampler.start(given.noise))]
        expected = sample(sampler, given.denoiser, states[SKIPPED], SKIPPED)
        complete = sample(sampler, given.denoiser, sampler.start(given.noise))
    found = made(model, bases, Approach("interval", "ddim", STEPS, SKIPPED))[0]
    assert torch.allclose(found, expected, atol=1e-5) and not torch.allclose(found, complete, atol=1e-2)
    assert torch.equal(made(model, bases, Approach("interval", "ddim", STEPS, 0))[0], complete)


@pytest.mark.parametrize("kind", ["jump", "relative"])
def test_latents_do_not_depend_on_their_batch(model: LatentModel, bases: PromptBases, kind: Kind) -> None:
    prepared = PreparedApproach(Approach(kind, "ddim", STEPS, SKIPPED), model.schedule, bases)
    with torch.inference_mode():
        together = prepared.make(batch(model, 3.0)).latents
        apart = torch.cat([prepared.make(batch(model, 3.0, [place])).latents for place in range(4)])
    assert torch.allclose(together, apart, atol=1e-4)


def test_what_cannot_be_done_is_refused(model: LatentModel) -> None:
    with pytest.raises(ValueError, match="one must remain"):
        PreparedApproach(Approach("plain", "ddim", 5, 5), model.schedule)
    with pytest.raises(ValueError, match="needs the Gaussians"):
        PreparedApproach(Approach("relative", "ddim", 5, 2), model.schedule)
