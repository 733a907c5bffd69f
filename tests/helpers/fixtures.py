"""Fixtures: a small Gaussian, a small network, and a small latent model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel

from underpainting.basis.eigenbasis import Eigenbasis

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def basis() -> Eigenbasis:
    """Images of 1 x 4 x 4 pixels with five components of variance and eleven directions without any."""
    generator = torch.Generator().manual_seed(1)
    vectors = torch.linalg.qr(torch.randn(16, 5, generator=generator, dtype=torch.float64))[0]
    variances = torch.tensor([4.0, 1.0, 0.3, 0.05, 0.01], dtype=torch.float64)
    mean = 0.3 * torch.randn(16, generator=generator, dtype=torch.float64)
    return Eigenbasis(mean, vectors, variances, float(variances.sum()), (1, 4, 4))


@pytest.fixture(scope="session")
def network() -> UNet2DModel:
    """A randomly initialised UNet of 1 x 8 x 8 pixels, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DModel(
            sample_size=8,
            in_channels=1,
            out_channels=1,
            block_out_channels=(8,),
            layers_per_block=1,
            down_block_types=("DownBlock2D",),
            up_block_types=("UpBlock2D",),
            norm_num_groups=8,
            add_attention=False,
        ).eval()


@pytest.fixture(scope="session")
def latent_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny latent model with random weights, in the layout of StableDiffusionPipeline; read only."""
    from tests.helpers.latents import save_latent_model  # imports transformers

    return save_latent_model(tmp_path_factory.mktemp("latent"))
