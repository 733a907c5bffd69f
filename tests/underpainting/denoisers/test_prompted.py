"""Prompts and guidance: the estimates are those of diffusers' StableDiffusionPipeline, and two calls count as two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler
from torch import Tensor

from tests.helpers.latents import stable_diffusion
from underpainting import meter
from underpainting.denoisers import CountingDenoiser
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import NO_GUIDANCE, Guidance, PromptedDenoiser
from underpainting.io.errors import InputError
from underpainting.noise.levels import NoiseLevel, training_grid, vp_level

PROMPTS = ["a red one", "blue"]
LEVEL = vp_level(3.0)


def latents(count: int = 2) -> Tensor:
    return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model(latent_folder: Path) -> LatentModel:
    return LatentModel.load(latent_folder)


@pytest.fixture
def denoiser(model: LatentModel) -> PromptedDenoiser:
    return model.denoiser(model.embed(PROMPTS))


def estimates_of_diffusers(pipe: Any, **options: Any) -> list[tuple[Tensor, NoiseLevel, Tensor]]:
    """State, level and endpoint estimate of every step of diffusers' own loop, by DDIM's arithmetic."""
    found, plain = [], pipe.scheduler.step

    def step(output: Tensor, time: Tensor, state: Tensor, **rest: Any) -> Any:
        moved = plain(output, time, state, **{**rest, "return_dict": True})
        square = float(pipe.scheduler.alphas_cumprod[time])
        found.append((state, NoiseLevel(square**0.5, (1 - square) ** 0.5), moved.pred_original_sample))
        return (moved.prev_sample,)

    pipe.scheduler.step = step
    pipe(PROMPTS, latents=latents(), num_inference_steps=4, output_type="latent", **options)
    return found


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(
    ("scale", "rescale", "negative"), [(1.0, 0.0, ""), (3.0, 0.0, ""), (7.5, 0.7, ""), (3.0, 0.0, "a green two")]
)
def test_estimates_are_those_of_diffusers_own_pipeline(
    prediction: Any, scale: float, rescale: float, negative: str
) -> None:
    pipe = stable_diffusion(prediction)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    model = LatentModel(pipe.unet, pipe.vae, pipe.text_encoder, pipe.tokenizer, pipe.scheduler)
    denoiser = model.denoiser(model.embed(PROMPTS), Guidance(scale, rescale), model.embed([negative]))
    options = {"guidance_scale": scale, "guidance_rescale": rescale, "negative_prompt": [negative] * 2}
    compared = estimates_of_diffusers(pipe, **options)
    assert len(compared) == 4
    for state, level, expected in compared:
        assert torch.allclose(denoiser(state, *level), expected, atol=1e-4 * float(expected.abs().max()))


def test_estimates_in_the_units_of_euler_are_the_same(model: LatentModel) -> None:
    pipe, found = stable_diffusion(), []
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    plain = pipe.scheduler.step

    def step(*given: Any, **rest: Any) -> Any:
        moved = plain(*given, **{**rest, "return_dict": True})
        found.append((given[2], float(pipe.scheduler.sigmas[len(found)]), moved.pred_original_sample))
        return (moved.prev_sample,)

    pipe.scheduler.step = step
    pipe(PROMPTS, latents=latents(), num_inference_steps=3, output_type="latent", guidance_scale=3.0)
    denoiser = model.denoiser(model.embed(PROMPTS), Guidance(3.0))
    for state, sigma, expected in found:
        assert torch.allclose(denoiser(state, 1.0, sigma), expected, atol=1e-4 * float(expected.abs().max()))


def test_guidance_combines_the_two_estimates(denoiser: PromptedDenoiser) -> None:
    without, under = (one(latents(), *LEVEL) for one in (denoiser.unconditional, denoiser.conditional))
    assert (under - without).abs().max() > 0.1, "the network attends to the prompt"
    guided = denoiser.with_guidance(Guidance(4.0))(latents(), *LEVEL)
    assert torch.allclose(guided, without + 4 * (under - without), atol=1e-4)
    half = denoiser.with_guidance(Guidance(0.5))(latents(), *LEVEL)
    assert torch.allclose(half, (without + under) / 2, atol=1e-5)


def test_full_rescaling_gives_outputs_the_spread_that_they_have_without_guidance() -> None:
    outputs = 3 * latents(4)
    guided = Guidance(9.0, rescale=1.0).combine(outputs[:2], outputs[2:], 1.0)
    assert torch.allclose(guided.std((1, 2, 3)), outputs[2:].std((1, 2, 3)))


def test_outside_its_interval_guidance_is_off_and_costs_nothing(denoiser: PromptedDenoiser) -> None:
    limited = denoiser.with_guidance(Guidance(5.0, interval=(0.5, 3.0)))
    assert [limited.calls_at(ratio) for ratio in (0.5, 0.6, 3.0, 3.1)] == [1, 2, 2, 1]
    outside = vp_level(3.1)
    assert torch.equal(limited(latents(), *outside), denoiser.conditional(latents(), *outside))
    inside = denoiser.with_guidance(Guidance(5.0))
    assert torch.equal(limited(latents(), *vp_level(2.0)), inside(latents(), *vp_level(2.0)))


@pytest.mark.parametrize(("scale", "calls"), [(0.0, 1), (0.5, 2), (1.0, 1), (7.5, 2)])
def test_every_counter_counts_both_calls(denoiser: PromptedDenoiser, scale: float, calls: int) -> None:
    called: list[int] = []
    handle = denoiser.network.register_forward_pre_hook(lambda _, given: called.append(len(given[0])))
    counting, before = CountingDenoiser(denoiser.with_guidance(Guidance(scale))), meter.reading()
    counting(latents(), *LEVEL)
    handle.remove()
    after = meter.reading()
    assert sum(called) == 2 * calls
    assert (counting.calls, counting.evaluations) == (calls, 2 * calls)
    assert (after.calls - before.calls, after.evaluations - before.evaluations) == (calls, 2 * calls)


def test_prompts_repeat_in_order_through_a_larger_batch(denoiser: PromptedDenoiser) -> None:
    pairs = torch.cat([latents(), latents()])
    found = denoiser(pairs, *LEVEL)
    assert torch.allclose(found[:2], found[2:], atol=1e-4)
    assert torch.allclose(found[:2], denoiser(latents(), *LEVEL), atol=1e-4)


def test_each_latent_has_its_own_prompt(model: LatentModel, denoiser: PromptedDenoiser) -> None:
    same = latents(1).expand(2, -1, -1, -1)
    found = denoiser(same, *LEVEL)
    assert (found[0] - found[1]).abs().max() > 0.1
    for number, prompt in enumerate(PROMPTS):
        alone = model.denoiser(model.embed([prompt]))(latents(1), *LEVEL)
        assert torch.allclose(found[number], alone[0], atol=1e-4)


def test_parts_of_a_batch_keep_their_prompts_where_memory_runs_out(
    denoiser: PromptedDenoiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, forward = denoiser(latents(), *LEVEL), denoiser.network.forward

    def scarce(given: Tensor, *rest: Any) -> Any:
        if len(given) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(given, *rest)

    monkeypatch.setattr(denoiser.network, "forward", scarce)
    assert torch.allclose(denoiser(latents(), *LEVEL), expected, atol=1e-4)


def test_a_batch_that_is_no_multiple_of_the_prompts_is_refused(denoiser: PromptedDenoiser) -> None:
    with pytest.raises(ValueError, match="3 latents do not fit 2 prompts"):
        denoiser(latents(3), *LEVEL)


def test_embeddings_that_do_not_fit_are_refused(model: LatentModel) -> None:
    grid = training_grid(model.schedule)
    for embeddings, negative in (
        (torch.zeros(2, 3, 16), torch.zeros(2, 4, 16)),
        (torch.zeros(3, 16), torch.zeros(3, 16)),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            PromptedDenoiser(model.unet, grid, embeddings, negative)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": -1.0}, "a guidance scale of -1.0 is not possible"),
        ({"scale": float("nan")}, "a guidance scale of nan"),
        ({"rescale": 1.5}, "rescale 1.5"),
        ({"scale": 0.5, "rescale": 0.5}, "rescale 0.5 at scale 0.5"),
        ({"interval": (2.0, 1.0)}, "from sigma / alpha = 2.0 to 1.0"),
    ],
)
def test_guidance_outside_its_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Guidance(**options)


def test_no_guidance_is_one_call_at_every_level() -> None:
    assert {NO_GUIDANCE.calls_at(ratio) for ratio in (0.01, 1.0, 100.0)} == {1}
