"""Nodes of ComfyUI: a jump over the first steps, and noise levels from a basis.

Install: `pip install underpainting` in ComfyUI's environment, and put this folder into `custom_nodes` as `underpainting`.

    Teleport noise      NOISE and SIGMAS for SamplerCustomAdvanced: the noise is carried along the probability flow of the
                        Gaussian of the basis, from the first of the given sigmas to the one after `skipped_steps`
    Grid from a basis   SIGMAS at which Euler, DDIM or Heun lose least on that Gaussian

The basis is a file of `underpainting basis IMAGES --vae FOLDER --stationary`, of the VAE of the model. What a sigma means is
asked of the model itself: x = (signal) x_0 + sigma noise, with the signal that its `noise_scaling` gives an image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from underpainting.basis import stationary
from underpainting.basis.variances import read_variances
from underpainting.noise.levels import NoiseLevel
from underpainting.samplers import optimal_grid
from underpainting.teleport.jumps import StationaryJump

CATEGORY = "sampling/custom_sampling/underpainting"
BASIS = ("STRING", {"default": "latents.safetensors", "tooltip": "file of `underpainting basis --stationary`"})


def level(sampling: Any, sigma: Tensor) -> NoiseLevel:
    """Return signal and noise scale at a sigma of a model's `model_sampling`."""
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    return NoiseLevel(float(sampling.noise_scaling(sigma.reshape(1), zero, one)), float(sigma))


class CarriedNoise:
    """A NOISE that a jump carries from one sigma to another.

    Args:
        noise: any NOISE.
        sampling: of the model.
        jump: of the basis.
        here, there: the sigmas.
    """

    def __init__(self, noise: Any, sampling: Any, jump: StationaryJump, here: Tensor, there: Tensor) -> None:
        self.seed = noise.seed
        self._noise, self._sampling, self._jump, self._here, self._there = noise, sampling, jump, here, there

    def generate_noise(self, input_latent: dict[str, Any]) -> Tensor:
        """Return what a sampler that begins at `there` has to be given as its noise.

        Raises:
            ValueError: the latent is no empty one, as a jump begins with noise alone, or one of a video.
        """
        latent = input_latent["samples"]
        if latent.ndim != 4:
            raise ValueError(f"the basis is one of images, the latent has the shape {tuple(latent.shape)}")
        if torch.count_nonzero(latent):
            raise ValueError("a jump begins with noise: connect an empty latent")
        white = self._noise.generate_noise(input_latent)
        state = self._sampling.noise_scaling(self._here.reshape(1), white, torch.zeros_like(white), max_denoise=True)
        source, target = (level(self._sampling, sigma) for sigma in (self._here, self._there))
        carried: Tensor = self._jump(state, source, target) / target.sigma
        return carried


class TeleportNoise:
    """Node that replaces the first steps of a sampler by the closed form of Gaussian data."""

    RETURN_TYPES, RETURN_NAMES = ("NOISE", "SIGMAS"), ("noise", "sigmas")
    FUNCTION, CATEGORY = "carry", CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  ComfyUI's name
        """Return the inputs of the node."""
        steps = {"default": 8, "min": 0, "max": 1000, "tooltip": "steps that are not sampled"}
        inputs = {"model": ("MODEL",), "noise": ("NOISE",), "sigmas": ("SIGMAS",), "basis": BASIS}
        return {"required": {**inputs, "skipped_steps": ("INT", steps)}}

    def carry(self, model: Any, noise: Any, sigmas: Tensor, basis: str, skipped_steps: int) -> tuple[Any, Tensor]:
        """Return the carried noise and the sigmas that are left.

        Raises:
            ValueError: no step would be left, or the file holds no stationary basis.
        """
        if not skipped_steps:
            return noise, sigmas
        if skipped_steps >= len(sigmas) - 1:
            raise ValueError(f"{skipped_steps} of {len(sigmas) - 1} steps cannot be skipped; leave one at least")
        jump = StationaryJump(stationary.load(basis))
        left = sigmas[skipped_steps:]
        sampling = model.get_model_object("model_sampling")
        return CarriedNoise(noise, sampling, jump, sigmas[0].cpu(), left[0].cpu()), left


class BasisGrid:
    """Node that chooses the sigmas of a sampler by the variances of a basis."""

    RETURN_TYPES = ("SIGMAS",)
    FUNCTION, CATEGORY = "choose", CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  ComfyUI's name
        """Return the inputs of the node."""
        steps = {"default": 12, "min": 1, "max": 1000}
        inputs = {"model": ("MODEL",), "basis": BASIS, "sampler": (list(optimal_grid.SAMPLERS),)}
        return {"required": {**inputs, "steps": ("INT", steps)}}

    def choose(self, model: Any, basis: str, sampler: str, steps: int) -> tuple[Tensor]:
        """Return the sigmas, of the model's noisiest level first and 0 last, shape (step + 1,).

        Raises:
            ValueError: the file holds no basis.
        """
        sampling = model.get_model_object("model_sampling")
        first, least = (
            level(sampling, torch.as_tensor(end).float().cpu()) for end in (sampling.sigma_max, sampling.sigma_min)
        )
        noisiest = min(first.ratio, 1e3)  # the levels of flow matching begin with noise alone
        ratios = optimal_grid.optimal_ratios(read_variances(basis), steps, noisiest, least.ratio, sampler)
        sigmas = ratios if first.alpha == 1 else ratios / (1 + ratios)
        sigmas = np.concatenate([[first.sigma], sigmas[1:]])
        return (torch.from_numpy(sigmas).float(),)


NODE_CLASS_MAPPINGS = {"UnderpaintingTeleportNoise": TeleportNoise, "UnderpaintingBasisGrid": BasisGrid}
NODE_DISPLAY_NAME_MAPPINGS = {
    "UnderpaintingTeleportNoise": "Teleport noise",
    "UnderpaintingBasisGrid": "Grid from a basis",
}
