"""The recording sampling loop against bare network calls, and a jump against one network call."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.measure import Ratio, ratio
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import DiffusersDenoiser
from underpainting.noise.levels import training_grid
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler
from underpainting.theory import gaussian
from underpainting.training.trainer import make_unet
from underpainting_workflow.studies.denoiser import NoiseSchedule


def schedule() -> object:
    """The noise schedule of DDPM."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler(**NoiseSchedule().model_dump(), clip_sample=False)


def digits_network() -> nn.Module:
    """The architecture of the study `digits`, random weights."""
    architecture = {
        "block_out_channels": (12, 24, 48),
        "layers_per_block": 1,
        "attention_levels": 0,
        "attention_head_dim": 16,
        "norm_num_groups": 4,
    }
    return make_unet((1, 8, 8), **architecture).eval()


def cifar_network() -> nn.Module:
    """The architecture of google/ddpm-cifar10-32 (35.7 M parameters), random weights."""
    from diffusers.models.unets.unet_2d import UNet2DModel

    return UNet2DModel(
        sample_size=32,
        block_out_channels=(128, 256, 256, 256),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
    ).eval()


def random_basis(channels: int, size: int) -> Eigenbasis:
    """A full-rank basis of images of a size."""
    pixels = channels * size * size
    vectors = torch.linalg.qr(torch.randn(pixels, pixels, dtype=torch.float64)).Q
    variances = torch.logspace(1, -6, pixels, dtype=torch.float64)
    mean = torch.zeros(pixels, dtype=torch.float64)
    return Eigenbasis(mean, vectors, variances, float(variances.sum()), (channels, size, size))


def loop_overhead(batch: int = 256, steps: int = 20) -> Ratio:
    """DDIM that records every state and endpoint estimate, against as many bare calls of the same network."""
    network, times = digits_network(), torch.full((batch,), 500.0)
    denoiser = DiffusersDenoiser(network, training_grid(schedule()))
    sampler = Sampler("ddim", steps, schedule())
    noise = initial_noise(range(batch), (1, 8, 8))

    def record() -> None:
        with torch.inference_mode():
            for _ in sampler.walk(denoiser, sampler.start(noise)):
                pass

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(steps):
                network(noise, times)

    return ratio(f"DDIM, {steps} steps, {batch} digits", record, "bare network calls", bare, "at most 1.03")


def jump_cost(batch: int = 64, called: int = 16) -> Ratio:
    """A full-rank jump at 3,072 pixels against one call of the CIFAR-10 network on the same number of images.

    The network is called on fewer images, as often as makes their number: its time is proportional to it from a few images on.
    That of the jump is not, since the basis, 75 MB, is read from memory twice however many images there are.
    """
    network, basis = cifar_network(), random_basis(3, 32)
    sampler = Sampler("ddim", 50, schedule())
    noise, times = initial_noise(range(batch), (3, 32, 32)), torch.full((called,), 500.0)

    def jump() -> None:
        gaussian.state(basis, noise, sampler.grid[0], sampler.grid[20])

    def call() -> None:
        with torch.inference_mode():
            network(noise[:called], times)

    name = f"full-rank jump, 3,072 pixels, {batch} images"
    peer = f"one call of DDPM CIFAR-10 ({batch // called} x {called} images)"
    return ratio(name, jump, peer, call, "at most 0.01", pairs=5, scale=batch / called)
