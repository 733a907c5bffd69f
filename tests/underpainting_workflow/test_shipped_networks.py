"""The networks that ship: what their cards say of them, and that they are what their studies describe."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from underpainting import denoisers
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting_workflow import preflight
from underpainting_workflow.studies import load_study

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("mnist", "cifar10", "faces")
MOST_BYTES = 5_000_000


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
