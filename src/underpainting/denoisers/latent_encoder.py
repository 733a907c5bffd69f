"""Latents of images by a VAE of diffusers alone, for images of any size and for every family of latent models.

x_0 is (z - shift_factor) scaling_factor, with z the mean of the VAE's posterior, as diffusers' pipelines have it: Stable
Diffusion and SDXL have no shift, Stable Diffusion 3 and Flux have one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from underpainting.denoisers import unets
from underpainting.denoisers.adaptive_batches import AdaptiveBatches
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import digest_of_vae
from underpainting.io.errors import InputError, MissingFileError, Problem
from underpainting.io.network_config import read_config

CLASS_NAME = "AutoencoderKL"
_REMEDY = f"give the folder of an {CLASS_NAME}, or of a pipeline with one in its sub-folder vae"


@dataclass(frozen=True)
class LatentScale:
    """What a VAE and its configuration say of the latents that a network knows.

    Attributes:
        scaling_factor: x_0 is (z - shift_factor) times it.
        shift_factor: see there.
        vae_digest: SHA-256 of the VAE's weights in half precision.
    """

    scaling_factor: float
    shift_factor: float
    vae_digest: str


class LatentEncoder:
    """The encoder of a VAE.

    Args:
        vae: an AutoencoderKL; it stays on the device that it is on.
        compute: settings of all calls.

    Attributes:
        scale: of the latents.
        factor: pixels of an image by pixels of its latents, along each side.
    """

    def __init__(self, vae: Any, compute: Compute | None = None) -> None:
        self._vae, self._compute = vae.eval(), compute or Compute()
        self.scale = LatentScale(
            float(vae.config.scaling_factor), float(vae.config.get("shift_factor") or 0.0), digest_of_vae(vae)
        )
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self._encoded = AdaptiveBatches(self._posterior_mean)

    @classmethod
    def load(cls, folder: str | Path, compute: Compute | None = None) -> LatentEncoder:
        """Load the VAE of a folder, in float32.

        Args:
            folder: of the VAE, or of a pipeline whose sub-folder `vae` it is.
            compute: settings of all calls; by default on CUDA if available.

        Raises:
            MissingFileError: there is no configuration, or there are no weights in safetensors.
            InputError: it is of another class, or normalizes latents by channel.
        """
        folder, compute = Path(folder), compute or Compute()
        place = next((one for one in (folder / "vae", folder) if (one / "config.json").is_file()), None)
        if place is None:
            raise MissingFileError(Problem(f"{folder} holds no config.json of a VAE", _REMEDY))
        config = read_config(place / "config.json")
        if (name := config.get("_class_name")) != CLASS_NAME:
            raise InputError(Problem(f"{place} holds a {str(name)[:200]}", _REMEDY))
        if config.get("latents_mean"):
            raise InputError(Problem(f"{place} normalizes each channel of its latents (latents_mean)", _REMEDY))
        vae = unets.load_component(CLASS_NAME, place)
        compute.place(vae)
        return cls(vae, compute)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Compute the latents of images.

        Args:
            images: in [-1, 1], shape (sample, channel, height, width).

        Returns:
            latents, shape (sample, channel, height / factor, width / factor), on the CPU.

        Raises:
            ValueError: the channels are not those of the VAE, or the size is no multiple of `factor`.
        """
        channels, height, width = images.shape[1:]
        if channels != self._vae.config.in_channels or height % self.factor or width % self.factor:
            raise ValueError(
                f"images of {channels} x {height} x {width} do not fit the VAE: it takes {self._vae.config.in_channels} "
                f"channels, height and width multiples of {self.factor}"
            )
        means = self._encoded(images.to(self._vae.device, self._vae.dtype))
        return (means.float().cpu() - self.scale.shift_factor) * self.scale.scaling_factor

    def _posterior_mean(self, images: Tensor) -> Tensor:
        with self._compute.calling(self._vae.device):
            mean: Tensor = self._vae.encode(images).latent_dist.mode()
        return mean
