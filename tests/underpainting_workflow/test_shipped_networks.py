"""The networks that ship: what their cards say of them, and that they are what their studies describe."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline

from underpainting import denoisers
from underpainting.denoisers import latent_folders
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.images.painted_digits import COLOURS
from underpainting.io import artifacts
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.trajectories import make_sampler
from underpainting.samplers.walk import last
from underpainting_workflow import preflight
from underpainting_workflow.studies import TextToImageStudy, load_any, load_study

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("mnist", "cifar10", "faces")
LATENT = ROOT / "config/networks/painted_digits"
MOST_BYTES = 5 * 2**20


def folder(name: str) -> Path:
    return ROOT / "config/networks" / name


@pytest.mark.parametrize("name", NAMES)
def test_a_card_names_the_weights_beside_it(name: str) -> None:
    weights = folder(name) / "unet/diffusion_pytorch_model.safetensors"
    card = (folder(name) / "README.md").read_text(encoding="utf-8")
    assert artifacts.digest(weights) in card
    assert weights.stat().st_size <= MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_the_study_takes_its_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    file = ROOT / "config/studies" / f"{name}.yaml"
    preflight.check_denoiser(load_study(file), file)


@pytest.mark.parametrize("name", NAMES)
def test_the_network_has_learned(name: str) -> None:
    """At little noise, an image that only a trained network can tell from its noise: a bright bar on a dark ground."""
    denoiser, _ = denoisers.load_denoiser(folder(name), Compute("cpu"))
    bar = torch.full((1, *denoiser.image_shape), -0.8)
    side = denoiser.image_shape[-1]
    bar[..., side // 4 : -(side // 4), side // 2 - side // 16 : side // 2 + side // 16] = 0.8
    noise = torch.randn(bar.shape, generator=torch.Generator().manual_seed(0))
    alpha, sigma = 0.97, (1 - 0.97**2) ** 0.5
    estimate = denoiser(alpha * bar + sigma * noise, alpha, sigma)
    assert (estimate - bar).square().mean() < 0.25 * (sigma / alpha) ** 2


def test_the_card_of_the_latent_model_names_its_weights() -> None:
    card = (LATENT / "README.md").read_text(encoding="utf-8")
    weights = sorted(LATENT.rglob("*.safetensors"))
    assert len(weights) == 3
    for file in weights:
        assert artifacts.digest(file) in card and file.stat().st_size <= MOST_BYTES


def test_the_study_takes_its_latent_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    study = load_any(ROOT / "config/studies/painted_digits.yaml")
    assert isinstance(study, TextToImageStudy) and study.denoiser.place == "config/networks/painted_digits"
    assert latent_folders.read_layout(study.denoiser.place).latent_shape == (4, 8, 8)


def test_diffusers_makes_the_images_of_the_prompt_and_they_are_ours() -> None:
    """StableDiffusionPipeline on the folder: latents of our PNDM to 1e-4, and grounds of the colours that were asked for."""
    prompts = ["a thick red three leaning left on blue", "a white seven on green"]
    pipe = StableDiffusionPipeline.from_pretrained(LATENT)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = PNDMScheduler.from_config(pipe.scheduler.config, set_alpha_to_one=True)
    noise = initial_noise([0, 1], (4, 8, 8))
    theirs = pipe(prompts, latents=noise, guidance_scale=3.0, num_inference_steps=20, output_type="latent").images
    model = LatentModel.load(LATENT, Compute("cpu"))
    denoiser = model.denoiser(model.embed(prompts), Guidance(3.0))
    sampler = make_sampler({"name": "pndm", "steps": 20}, model.schedule)
    ours = last(sampler.walk(denoiser, sampler.start(noise))).state
    assert torch.allclose(ours, theirs, atol=1e-4)
    corners = model.decode(theirs)[..., :3, :3].mean((2, 3))
    expected = torch.tensor([COLOURS["blue"], COLOURS["green"]]) * 1.6 - 0.8
    assert (corners - expected).abs().max() < 0.4
