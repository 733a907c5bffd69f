"""The jump as a block of modular pipelines: tiny random models of the forms of SDXL, Stable Diffusion 3 and Flux."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch
from diffusers.modular_pipelines import SequentialPipelineBlocks
from diffusers.modular_pipelines.modular_pipeline import PipelineState
from torch import Tensor

from underpainting.basis import stationary
from underpainting.basis.stationary import StationaryBasis
from underpainting.basis.stored import BasisFileError
from underpainting.denoisers.latent_model import digest_of_vae
from underpainting.noise.levels import NoiseLevel
from underpainting.pipeline import RelativeFlowScheduler, modular, packing
from underpainting.samplers.walk import Sampler
from underpainting.theory import gaussian

STEPS, SEED, SIZE, TOKENS = 8, 3, 32, 5
EULER = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
Made = tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]


def vae(channels: int) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=2,
        sample_size=SIZE,
        shift_factor=0.1,
    )


def sdxl() -> Made:
    """SDXL's network, with pooled text and sizes added to the time, and its own Euler scheduler."""
    from diffusers.modular_pipelines.stable_diffusion_xl import modular_blocks_stable_diffusion_xl as blocks

    unet = diffusers.UNet2DConditionModel(
        sample_size=SIZE // 2,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 12,
        transformer_layers_per_block=1,
        cross_attention_dim=8,
        norm_num_groups=4,
    )
    parts = {
        "unet": unet,
        "vae": vae(4),
        "scheduler": diffusers.EulerDiscreteScheduler(**EULER),
        "guider": diffusers.ClassifierFreeGuidance(guidance_scale=1.0),
    }
    text = {
        "prompt_embeds": torch.randn(1, TOKENS, 8),
        "pooled_prompt_embeds": torch.randn(1, 12),
        "negative_prompt_embeds": torch.randn(1, TOKENS, 8),
        "negative_pooled_prompt_embeds": torch.randn(1, 12),
    }
    return (
        {"denoise": blocks.StableDiffusionXLCoreDenoiseStep(), "decode": blocks.StableDiffusionXLDecodeStep()},
        parts,
        text,
    )


def sd3() -> Made:
    """Stable Diffusion 3's transformer on 16 channels, with flow matching."""
    from diffusers.modular_pipelines.stable_diffusion_3 import modular_blocks_stable_diffusion_3 as blocks

    transformer = diffusers.SD3Transformer2DModel(
        sample_size=SIZE // 2,
        patch_size=1,
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=8,
        caption_projection_dim=16,
        pooled_projection_dim=12,
        out_channels=16,
    )
    parts = {
        "transformer": transformer,
        "vae": vae(16),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        "guider": diffusers.ClassifierFreeGuidance(guidance_scale=1.0),
    }
    text = {
        "prompt_embeds": torch.randn(1, TOKENS, 8),
        "pooled_prompt_embeds": torch.randn(1, 12),
        "negative_prompt_embeds": torch.randn(1, TOKENS, 8),
        "negative_pooled_prompt_embeds": torch.randn(1, 12),
    }
    return (
        {"denoise": blocks.StableDiffusion3AutoCoreDenoiseStep(), "decode": blocks.StableDiffusion3DecodeStep()},
        parts,
        text,
    )


def flux() -> Made:
    """Flux' transformer on tokens of 2 x 2 latents, with flow matching and a shift that depends on the size."""
    from diffusers.modular_pipelines.flux import modular_blocks_flux as blocks

    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=12,
        axes_dims_rope=(4, 4, 8),
    )
    parts = {
        "transformer": transformer,
        "vae": vae(16),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
    }
    text = {"prompt_embeds": torch.randn(1, TOKENS, 8), "pooled_prompt_embeds": torch.randn(1, 12)}
    return {"denoise": blocks.FluxCoreDenoiseStep(), "decode": blocks.FluxDecodeStep()}, parts, text


MODELS: dict[str, Callable[[], Made]] = {"SDXL": sdxl, "Stable Diffusion 3": sd3, "Flux": flux}


@pytest.fixture(params=list(MODELS))
def made(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any], list[Tensor]]:
    """A pipeline with the block, the arguments of its calls, and the list of inputs of its network."""
    torch.manual_seed(0)
    blocks, parts, text = MODELS[request.param]()
    pipe = modular.with_jump(SequentialPipelineBlocks.from_blocks_dict(blocks)).init_pipeline()
    pipe.update_components(**parts)
    pipe.set_progress_bar_config(disable=True)
    given: list[Tensor] = []
    network = parts.get("unet") or parts["transformer"]

    def record(_: Any, positional: Any, named: Any) -> None:
        given.append((positional[0] if positional else named.get("sample", named.get("hidden_states"))).clone())

    network.register_forward_pre_hook(record, with_kwargs=True)
    options = {"height": SIZE, "width": SIZE, "num_inference_steps": STEPS, "output": "latents"}
    return pipe, {**text, **options}, given


def call(pipe: Any, options: dict[str, Any], **more: Any) -> Tensor:
    result: Tensor = pipe(**options, generator=torch.Generator().manual_seed(SEED), **more)
    return result


def basis_of(pipe: Any, channels: int) -> StationaryBasis:
    """Random fields that are correlated between neighbours and channels."""
    noise = torch.randn(64, channels, 12, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    fields = noise + 0.8 * noise.roll(1, 3) + 0.6 * noise.roll((1, 2), (1, 2)) + 0.3
    return stationary.fit([fields], {"latents": {"vae_digest": digest_of_vae(pipe.vae)}})


def levels(scheduler: Any, steps: int) -> tuple[NoiseLevel, NoiseLevel]:
    """The first level of a scheduler, and that after some steps, in its own units."""
    first, later = float(scheduler.sigmas[0]), float(scheduler.sigmas[steps])
    if "FlowMatch" in type(scheduler).__name__:
        return NoiseLevel(1 - first, first), NoiseLevel(1 - later, later)
    return NoiseLevel(1.0, first), NoiseLevel(1.0, later)


def test_the_network_is_first_called_where_the_closed_form_leads(made: Any) -> None:
    pipe, options, given = made
    plain = call(pipe, options)
    assert len(given) == STEPS
    noise, scheduler = given[0], pipe.scheduler
    here, there = levels(scheduler, 3)
    given.clear()
    basis = basis_of(pipe, 4 if noise.shape[1] == 4 else 16)
    jumped = call(pipe, options, basis=basis, skipped_fraction=3 / STEPS)
    assert len(given) == STEPS - 3
    scale = [1 / (level.sigma**2 + 1) ** 0.5 if hasattr(pipe, "unet") else 1.0 for level in (here, there)]
    state, first = noise / scale[0], given[0] / scale[1]
    if noise.ndim == 3:
        state, first = (packing.unpacked(tokens, SIZE // 2, SIZE // 2) for tokens in (state, first))
        assert torch.equal(packing.packed_again(first), given[0] / scale[1])
    expected = gaussian.state(basis.at(SIZE // 2, SIZE // 2), state, here, there)
    assert torch.allclose(first, expected, atol=2e-5 * float(expected.abs().max()))
    assert jumped.shape == plain.shape and not torch.allclose(jumped, plain)


def test_without_a_basis_or_a_skipped_step_nothing_changes(made: Any) -> None:
    pipe, options, _ = made
    plain = call(pipe, options)
    assert torch.equal(
        call(pipe, options, basis=basis_of(pipe, pipe.vae.config.latent_channels), skipped_fraction=0.1), plain
    )
    assert torch.equal(call(pipe, options, skipped_fraction=0.9), plain)


def test_bases_of_other_latents_and_wrong_fractions_are_refused(made: Any, tmp_path: Path) -> None:
    pipe, options, _ = made
    basis = basis_of(pipe, pipe.vae.config.latent_channels)
    stationary.save(basis, tmp_path / "latents.safetensors")
    call(pipe, options, basis=tmp_path / "latents.safetensors")
    with pytest.raises(BasisFileError, match="no file of a stationary basis"):
        call(pipe, options, basis=tmp_path / "nothing.safetensors")
    with pytest.raises(ValueError, match="skipped_fraction is 1"):
        call(pipe, options, basis=basis, skipped_fraction=1)
    with pytest.raises(ValueError, match="the basis has 3 channels"):
        call(pipe, options, basis=basis_of(pipe, 3))
    other = StationaryBasis(basis.mean, basis.spectrum, basis.width, {"latents": {"vae_digest": "0" * 64}})
    with pytest.raises(BasisFileError, match="of another VAE"):
        call(pipe, options, basis=other)


def test_blocks_without_a_place_for_the_jump_are_refused() -> None:
    with pytest.raises(ValueError, match="insert a TeleportStep by hand"):
        modular.with_jump(SequentialPipelineBlocks.from_blocks_dict({}))


@pytest.mark.parametrize("name", ["Stable Diffusion 3", "Flux"])
def test_the_relative_flow_scheduler_makes_the_library_s_latents(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    blocks, parts, text = MODELS[name]()
    pipe = modular.with_jump(SequentialPipelineBlocks.from_blocks_dict(blocks)).init_pipeline()
    pipe.update_components(**parts)
    pipe.set_progress_bar_config(disable=True)
    basis, own = basis_of(pipe, 16), pipe.scheduler
    RelativeFlowScheduler.from_config(own.config, basis=basis).save_pretrained(tmp_path)
    scheduler = RelativeFlowScheduler.from_pretrained(tmp_path)
    pipe.update_components(scheduler=scheduler)
    options = {**text, "height": SIZE, "width": SIZE, "num_inference_steps": 5, "output": "latents"}
    found = call(pipe, options)
    if found.ndim == 3:
        found = packing.unpacked(found, SIZE // 2, SIZE // 2)
    side, channels = SIZE // 2, 16
    noise = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(SEED))
    sampler = scheduler.sampler(5)
    sampler = Sampler.on("relative", sampler.grid, basis.at(side, side), sampler.origin)
    transformer = parts["transformer"]

    @torch.no_grad()
    def denoise(states: Tensor, alpha: float, sigma: float) -> Tensor:  # noqa: ARG001
        """The transformer as a denoiser of this library."""
        time = torch.full((1,), sigma * 1000)
        if name == "Flux":
            rope = {"img_ids": ids(side // 2), "txt_ids": torch.zeros(TOKENS, 3)}
            given = {"encoder_hidden_states": text["prompt_embeds"], "pooled_projections": text["pooled_prompt_embeds"]}
            tokens = transformer(packing.packed_again(states), timestep=time / 1000, **given, **rope).sample
            return states - sigma * packing.unpacked(tokens, side, side)
        given = {"encoder_hidden_states": text["prompt_embeds"], "pooled_projections": text["pooled_prompt_embeds"]}
        return states - sigma * transformer(states, timestep=time, **given).sample

    *_, last = sampler.walk(denoise, sampler.start(noise))
    assert torch.allclose(found, last.state, atol=1e-4 * float(last.state.abs().max()))


def ids(side: int) -> Tensor:
    """Places of the tokens of an image, as FluxPipeline numbers them."""
    places = torch.zeros(side, side, 3)
    places[..., 1] += torch.arange(side)[:, None]
    places[..., 2] += torch.arange(side)[None]
    return places.reshape(-1, 3)


def test_the_relative_flow_scheduler_refuses_what_it_cannot_do() -> None:
    noise = torch.randn(20, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    basis, flow = stationary.fit([noise], {}), diffusers.FlowMatchEulerDiscreteScheduler()
    with pytest.raises(ValueError, match="needs a basis"):
        RelativeFlowScheduler.from_config(flow.config)
    with pytest.raises(ValueError, match="no scheduler of flow matching"):
        RelativeFlowScheduler.from_config(diffusers.DDIMScheduler().config, basis=basis)
    scheduler = RelativeFlowScheduler.from_config(flow.config, basis=basis)
    with pytest.raises(ValueError, match="call set_timesteps first"):
        scheduler.start(noise[:2])
    scheduler.set_timesteps(4)
    with pytest.raises(ValueError, match=r"jump_first=False \(or, for flow matching, noise from `scheduler.start`\)"):
        scheduler.step(noise[:2], scheduler.timesteps[0], noise[:2])
    with pytest.raises(ValueError, match="tokens need the size"):
        scheduler.start(torch.zeros(2, 16, 16))
    with pytest.raises(ValueError, match="begins with noise"):
        scheduler.set_begin_index(2)
    plain = RelativeFlowScheduler.from_config(flow.config, basis=basis, jump_first=False)
    plain.set_timesteps(sigmas=[1.0, 0.5])
    assert len(plain.timesteps) == 2 and plain.sigmas[0] == pytest.approx(0.999)
    assert plain.step(noise[:2], plain.timesteps[0], noise[:2]).prev_sample.shape == (2, 4, 8, 8)


def test_steps_are_counted_as_the_scheduler_counts_them() -> None:
    """Heun's scheduler lists all times but the first twice; SDXL's denoising_end leaves out the last."""
    noise = torch.randn(20, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    basis, step = stationary.fit([noise], {}), modular.TeleportStep()
    for scheduler, ended in (
        (diffusers.HeunDiscreteScheduler(**EULER), 0),
        (diffusers.EulerDiscreteScheduler(**EULER), 2),
    ):
        scheduler.set_timesteps(10)
        times = scheduler.timesteps
        state = PipelineState()
        values = {"latents": noise[:1], "timesteps": times[: len(times) - ended], "num_inference_steps": 10 - ended}
        for name, value in {**values, "basis": basis, "skipped_fraction": 0.5}.items():
            state.set(name, value)
        step(SimpleNamespace(scheduler=scheduler, vae=None, vae_scale_factor=8), state)
        skipped = (10 - ended) // 2
        assert (state.get("skipped_steps"), state.get("num_inference_steps")) == (skipped, 10 - ended - skipped)
        left = times[skipped * scheduler.order : len(times) - ended]
        assert torch.equal(state.get("timesteps"), left)


def test_a_vae_in_bfloat16_or_offloaded_is_known_by_its_scale() -> None:
    torch.manual_seed(0)
    own = vae(4)
    space = {"vae_digest": digest_of_vae(own), "scaling_factor": own.config.scaling_factor, "shift_factor": 0.1}
    basis = stationary.fit([torch.randn(4, 4, 8, 8)], {"latents": space})
    for other in (own, vae(4).to(torch.bfloat16), vae(4).to("meta")):
        modular.require_vae(basis, other)
    for wrong in (vae(4), vae(4).to(torch.bfloat16)):
        if wrong.dtype == torch.bfloat16:
            wrong.register_to_config(scaling_factor=1.5)
        with pytest.raises(BasisFileError, match="of another VAE"):
            modular.require_vae(basis, wrong)


def test_noise_that_was_carried_may_be_given_to_a_pipeline_without_the_block() -> None:
    """`pipe(latents=scheduler.start(noise))`: the pipeline sets the timesteps again before its first step."""
    noise = torch.randn(20, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    flow = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler = RelativeFlowScheduler.from_config(flow.config, basis=stationary.fit([noise], {}))
    scheduler.set_timesteps(4)
    state = scheduler.start(noise[:2])
    scheduler.set_timesteps(4)
    for time in scheduler.timesteps:
        state = scheduler.step(0.1 * state, time, state).prev_sample
    assert state.shape == noise[:2].shape and bool(state.isfinite().all())
    scheduler.set_timesteps(4)
    with pytest.raises(ValueError, match="called with the noise itself"):
        scheduler.step(noise[:2], scheduler.timesteps[0], noise[:2])
    assert diffusers.FlowMatchEulerDiscreteScheduler.from_config(scheduler.config).config.shift == 3.0
