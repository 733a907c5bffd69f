"""Small pipelines of random networks, and what the workflow's own script makes of the same parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import schedulers
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from scripts.sample_teleport import hybrid
from tests.helpers.bases import make_basis
from underpainting import denoisers
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import StoredBasis
from underpainting.denoisers.compute import Compute
from underpainting.pipeline import TeleportBasis, TeleportPipeline
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.schedulers import SCHEDULE_KEYS
from underpainting.samplers.walk import Sampler
from underpainting.teleport import jumps

SMALL: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D"),
    "norm_num_groups": 4,
}


def unet(**changes: Any) -> UNet2DModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DModel(**{**SMALL, **changes}).eval()


def schedule(prediction: str = "epsilon") -> DDIMScheduler:
    return DDIMScheduler(clip_sample=False, prediction_type=prediction)


def scheduler_of(name: str, prediction: str = "epsilon", clip: bool = False) -> Any:
    """Of the class's own settings on the noise schedule of the network; some classes have a default of their own for that."""
    clipping = {"clip_sample": clip} if SAMPLERS[name].clips else {}
    chosen = {key: schedule().config[key] for key in SCHEDULE_KEYS} | {"prediction_type": prediction}
    spacing = {"use_karras_sigmas": True} if SAMPLERS[name].levels == "karras" else {}
    order = {"solver_order": 3} if name in ("dpmsolverpp3", "unipc3", "deis3") else {}
    made = chosen | spacing | clipping | order
    return getattr(schedulers, SAMPLERS[name].scheduler).from_config(made)


def images_of(shape: tuple[int, int, int], seed: int = 0, rank: int = 6) -> Eigenbasis:
    pixels = shape[0] * shape[1] * shape[2]
    one = make_basis(pixels, [4.0 / (k + 1) for k in range(rank)], seed)
    return Eigenbasis(one.mean * 0.2, one.vectors, one.variances, one.total_variance, shape)


def stored(shape: tuple[int, int, int] = (1, 8, 8), classes: int = 0) -> StoredBasis:
    return StoredBasis.of(images_of(shape), "noise", [images_of(shape, seed) for seed in range(1, classes + 1)])


def basis(shape: tuple[int, int, int] = (1, 8, 8), classes: int = 0) -> TeleportBasis:
    return TeleportBasis.of(stored(shape, classes))


def quiet(pipe: TeleportPipeline) -> TeleportPipeline:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def pipeline(**changes: Any) -> TeleportPipeline:
    parts = {"unet": unet(), "scheduler": schedule(), "basis": basis()}
    return quiet(TeleportPipeline(**{**parts, **changes}))


def workflow(
    pipe_folder: Path, seeds: list[int], skipped_steps: int, sampler: str = "ddim", steps: int = 10, **options: Any
) -> np.ndarray[Any, Any]:
    """The images of the workflow's script for the network in a folder, in [-1, 1]."""
    denoiser, noise_schedule = denoisers.load_denoiser(pipe_folder, Compute("cpu"))
    with torch.inference_mode():
        whole = stored().all_images
        ahead, walk = jumps.GaussianJump(whole), Sampler(sampler, steps, noise_schedule, **options)
        found = hybrid(ahead, whole.image_shape, walk, denoiser, seeds, skipped_steps)
    return found["images"].values


def in_network_range(images: Tensor) -> np.ndarray[Any, Any]:
    return images.numpy() * 2 - 1


def tells(images: np.ndarray[Any, Any]) -> bool:
    """Whether images can differ: those that are all black or white are alike whatever made them."""
    return bool((np.abs(images) < 1).mean() > 0.5)
