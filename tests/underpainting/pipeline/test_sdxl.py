"""SDXL with latents of any size: the community pipeline as diffusers loads it from its file, and the relative scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from tests.underpainting.pipeline.test_modular import SIZE, STEPS, basis_of, sdxl
from underpainting.basis import stationary
from underpainting.noise.levels import NoiseLevel
from underpainting.pipeline import RelativeScheduler
from underpainting.samplers.walk import Sampler
from underpainting.theory import gaussian

FILE = Path(__file__).parents[3] / "integrations/diffusers/teleport_sdxl.py"
TALL = (48, 32)  # pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random SDXL without text encoders, in the layout of StableDiffusionXLPipeline."""
    torch.manual_seed(0)
    _, parts, _ = sdxl()
    parts.pop("guider")
    texts = dict.fromkeys(("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"))
    place = tmp_path_factory.mktemp("sdxl")
    diffusers.StableDiffusionXLPipeline(**parts, **texts).save_pretrained(place)
    return place


def arguments(height: int = SIZE, width: int = SIZE) -> dict[str, Any]:
    torch.manual_seed(1)
    text = sdxl()[2]
    size = {"height": height, "width": width, "original_size": (height, width), "target_size": (height, width)}
    generator = torch.Generator().manual_seed(2)
    return {**text, **size, "num_inference_steps": STEPS, "output_type": "latent", "generator": generator}


def loaded(folder: Path, **options: Any) -> Any:
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, **options)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def first_inputs(pipe: Any) -> list[Tensor]:
    given: list[Tensor] = []
    pipe.unet.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].clone()))
    return given


@pytest.mark.parametrize("size", [(SIZE, SIZE), TALL])
def test_the_community_pipeline_jumps_at_any_size(folder: Path, size: tuple[int, int], tmp_path: Path) -> None:
    pipe = loaded(folder, custom_pipeline=str(FILE), trust_remote_code=True)
    assert type(pipe).__name__ == "TeleportStableDiffusionXLPipeline"
    plain = loaded(folder)(**arguments(*size), guidance_scale=1.0).images
    assert torch.equal(pipe(**arguments(*size), guidance_scale=1.0).images, plain)
    stationary.save(basis_of(pipe, 4), tmp_path / "latents.safetensors")
    given = first_inputs(pipe)
    jumped = pipe(**arguments(*size), guidance_scale=1.0, basis=tmp_path / "latents.safetensors", skipped_fraction=0.25)
    assert len(given) == STEPS - 2 and jumped.images.shape == plain.shape
    sigmas = pipe.scheduler.sigmas
    here, there = (NoiseLevel(1.0, float(sigmas[step])) for step in (0, 2))
    noise = torch.randn(1, 4, size[0] // 2, size[1] // 2, generator=torch.Generator().manual_seed(2))
    sized = stationary.load(tmp_path / "latents.safetensors").at(*noise.shape[2:])
    expected = gaussian.state(sized, noise * pipe.scheduler.init_noise_sigma, here, there) / (there.sigma**2 + 1) ** 0.5
    assert torch.allclose(given[0], expected, atol=1e-5)
    with pytest.raises(ValueError, match="skipped_fraction is 1"):
        pipe(**arguments(), basis=tmp_path / "latents.safetensors", skipped_fraction=1)


def test_the_relative_scheduler_takes_a_stationary_basis_at_any_size(folder: Path, tmp_path: Path) -> None:
    pipe = loaded(folder)
    basis = basis_of(pipe, 4)
    scheduler = RelativeScheduler.from_config(pipe.scheduler.config, basis=basis)
    scheduler.save_pretrained(tmp_path)
    pipe.scheduler = RelativeScheduler.from_pretrained(tmp_path)
    for size in ((SIZE, SIZE), TALL):
        options = arguments(*size)
        found = pipe(**options, guidance_scale=1.0).images
        sampler = Sampler.on(
            "relative",
            scheduler.sampler(STEPS).grid,
            basis.at(size[0] // 2, size[1] // 2),
            scheduler.sampler(STEPS).origin,
        )
        noise = torch.randn(found.shape, generator=torch.Generator().manual_seed(2))
        *_, last = sampler.walk(_denoiser(pipe, options, scheduler), sampler.start(noise))
        assert torch.allclose(found, last.state, atol=1e-4 * float(found.abs().max()))


def _denoiser(pipe: Any, options: dict[str, Any], scheduler: Any) -> Any:
    """The network as a denoiser of this library."""
    scheduler.set_timesteps(STEPS)
    size = torch.tensor([[*options["original_size"], 0, 0, *options["target_size"]]], dtype=torch.float32)
    added = {"text_embeds": options["pooled_prompt_embeds"], "time_ids": size}

    @torch.no_grad()
    def denoise(states: Tensor, alpha: float, sigma: float) -> Tensor:
        index = int((scheduler.sigmas - sigma / alpha).abs().argmin())
        noise = pipe.unet(states, scheduler.timesteps[index], options["prompt_embeds"], added_cond_kwargs=added).sample
        return (states - sigma * noise) / alpha

    return denoise
