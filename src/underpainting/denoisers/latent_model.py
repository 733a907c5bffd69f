"""A latent model with text prompts: text encoder, VAE and network of diffusers' StableDiffusionPipeline.

A latent here is the VAE's own latent times its scaling factor: that is the x_0 of the theory and of the noise path.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from underpainting.denoisers import latent_folders, unets, weights
from underpainting.denoisers.adaptive_batches import AdaptiveBatches
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.folders import load_schedule
from underpainting.denoisers.latent_folders import LatentLayout
from underpainting.denoisers.prompted import Guidance, PromptedDenoiser
from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import describe_error, quote
from underpainting.io.network_config import read_config
from underpainting.io.tensor_files import digest
from underpainting.noise.levels import training_grid

_OF_TRANSFORMERS = "text_model."  # prefix of the text encoder's tensors, of the files or of the module, by the version


class LatentModel:
    """Text encoder, VAE and network of a latent model, and the denoisers that its prompts make.

    Args:
        unet, vae, text_encoder, tokenizer: of diffusers and transformers.
        schedule: diffusers scheduler of the variance-preserving path, as `load_schedule` returns it.
        compute: settings of all calls; the networks stay on the device that they are on.

    Attributes:
        layout: shapes of latents, images and embeddings.
        schedule: as given.

    Raises:
        InputError: the components do not fit each other, or the network needs more than a prompt.
    """

    def __init__(
        self, unet: Any, vae: Any, text_encoder: Any, tokenizer: Any, schedule: Any, compute: Compute | None = None
    ) -> None:
        self.unet, self.vae, self.text_encoder = (one.eval() for one in (unet, vae, text_encoder))
        self.tokenizer, self.schedule, self._compute = tokenizer, schedule, compute or Compute()
        configurations = (unet.config, vae.config, text_encoder.config.to_dict())
        self.layout = latent_folders.layout_of(*configurations, tokenizer.model_max_length)
        self._encoded, self._decoded = AdaptiveBatches(self._encode), AdaptiveBatches(self._decode)

    @classmethod
    def load(cls, folder: str | Path, compute: Compute | None = None) -> LatentModel:
        """Load a latent model from a folder in the layout of StableDiffusionPipeline, in float32.

        Weights in half precision (`fp16`) are read where there are no others. A safety checker is not loaded.

        Args:
            folder: as `latent_folders` describes it.
            compute: settings of all calls; by default on CUDA if available.

        Raises:
            MissingFileError: the folder, a component, or its weights in safetensors are missing.
            InputError: the model is of another kind, or weights are not those of their configuration.
        """
        folder, compute = Path(folder), compute or Compute()
        latent_folders.read_layout(folder)
        schedule = load_schedule(folder / "scheduler")
        if "alphas_cumprod" not in vars(schedule):
            problem = f"{folder}/scheduler is of another path than the variance-preserving one"
            raise InputError(Problem(problem, "use Stable Diffusion 1.x or 2.x"))
        tokenizer = load_tokenizer(folder / "tokenizer")
        unet, vae = (unets.load_component(latent_folders.CLASSES[part], folder / part) for part in ("unet", "vae"))
        text_encoder = load_text_encoder(folder / "text_encoder")
        for network in (unet, vae, text_encoder):
            compute.place(network)
        return cls(unet, vae, text_encoder, tokenizer, schedule, compute)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(channel, height, width) of the latents."""
        return self.layout.latent_shape

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channel, height, width) of the images."""
        return self.layout.image_shape

    @property
    def scaling_factor(self) -> float:
        """Factor of the VAE's own latents."""
        return self.layout.scaling_factor

    @cached_property
    def vae_digest(self) -> str:
        """SHA-256 of the VAE's weights (`digest_of_vae`): latents of two VAEs do not compare."""
        return digest_of_vae(self.vae)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Compute the text encoder's last hidden state of prompts, as the network attends to it.

        Args:
            prompts: at least one.

        Returns:
            shape (prompt, token, feature), on the network's device.

        Raises:
            InputError: a prompt is longer than the text encoder knows. diffusers cuts it with a warning; here the numbers of a
                study would then stand for another prompt than the study says.
        """
        if isinstance(prompts, str):
            prompts = [prompts]
        require_short(self.tokenizer, prompts, self.layout)
        tokens = self.tokenizer(list(prompts), padding="max_length", max_length=self.layout.tokens, return_tensors="pt")
        device, config = self.text_encoder.device, self.text_encoder.config
        masked = getattr(config, "use_attention_mask", False)
        mask = tokens.attention_mask.to(device) if masked else None
        with self._compute.calling(device):
            embedded: Tensor = self.text_encoder(tokens.input_ids.to(device), attention_mask=mask)[0]
        return embedded.to(self.text_encoder.dtype)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Compute the latents of images: the mean of the VAE's posterior times the scaling factor.

        Args:
            images: in [-1, 1], shape (sample, channel, height, width).

        Returns:
            latents, shape (sample, *latent_shape), on the VAE's device.

        Raises:
            ValueError: images of another shape than the model's.
        """
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(f"the model is for images of shape {self.image_shape}, not {tuple(images.shape[1:])}")
        return self._encoded(images.to(self.vae.device, self.vae.dtype)) * self.scaling_factor

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Compute the images of latents, in [-1, 1] up to the VAE's overshoot.

        Args:
            latents: shape (sample, *latent_shape).

        Returns:
            images, shape (sample, *image_shape), on the VAE's device.

        Raises:
            ValueError: latents of another shape than the model's.
        """
        if tuple(latents.shape[1:]) != self.latent_shape:
            raise ValueError(f"the model has latents of shape {self.latent_shape}, not {tuple(latents.shape[1:])}")
        return self._decoded(latents.to(self.vae.device, self.vae.dtype) / self.scaling_factor)

    def _encode(self, images: Tensor) -> Tensor:
        with self._compute.calling(self.vae.device):
            return self.vae.encode(images).latent_dist.mode().to(self.vae.dtype)

    def _decode(self, latents: Tensor) -> Tensor:
        with self._compute.calling(self.vae.device):
            return self.vae.decode(latents).sample.to(self.vae.dtype)

    def denoiser(
        self, embeddings: Tensor, guidance: Guidance | None = None, negative: Tensor | None = None
    ) -> PromptedDenoiser:
        """Make the denoiser of a batch of prompts.

        Args:
            embeddings: of the prompts, shape (prompt, token, feature), as `embed` returns them.
            guidance: scale 7.5 by default.
            negative: embeddings of the negative prompts, one per prompt or one for all; by default of the empty prompt.

        Raises:
            ValueError: the shapes do not fit each other.
        """
        negative = self.embed([""]) if negative is None else negative
        prediction = self.schedule.config["prediction_type"]
        grid = training_grid(self.schedule)
        return PromptedDenoiser(self.unet, grid, embeddings, negative, guidance, prediction, self._compute)


def require_short(tokenizer: Any, prompts: Sequence[str], layout: LatentLayout) -> None:
    """Check that a text encoder knows prompts to their end.

    Raises:
        InputError: a prompt is too long.
    """
    for prompt in prompts:
        if (count := len(tokenizer(prompt).input_ids)) > layout.tokens:  # with begin and end
            problem = f"the prompt {quote(prompt)} has {count} tokens, the text encoder knows {layout.tokens}"
            raise InputError(Problem(problem, "shorten it"))


def digest_of_vae(vae: Any) -> str:
    """Compute the SHA-256 of a VAE's weights in half precision, in hexadecimal, the same for float32 and float16."""
    return digest({name: tensor.half() for name, tensor in vae.state_dict().items()})


def _transformers() -> Any:
    try:
        return import_module("transformers")
    except ImportError as error:
        problem = Problem("the package transformers is not installed", "pip install 'underpainting[text]'")
        raise InputError(problem) from error


def load_tokenizer(folder: Path) -> Any:
    """Load a CLIPTokenizer from tokenizer.json, or from vocab.json and merges.txt.

    Raises:
        InputError: transformers makes no tokenizer of the files, or is not installed.
    """
    clip = _transformers().CLIPTokenizer
    try:
        return clip.from_pretrained(str(folder))
    except Exception as error:  # transformers and tokenizers raise many kinds; all mean that the files are not usable
        problem = f"{folder} holds no usable CLIPTokenizer ({describe_error(error)})"
        raise InputError(Problem(problem, "get the folder again")) from error


def load_text_encoder(folder: Path) -> Any:
    """Load a CLIPTextModel in float32, with exactly the weights of its files.

    Raises:
        MissingFileError: there are no safetensors.
        InputError: transformers makes no network of the configuration, or the weights are not the network's.
    """
    config = read_config(folder / "config.json")
    tensors = _current_names(weights.read_weights(folder, stem=weights.TRANSFORMERS))
    library = _transformers()
    try:
        network = library.CLIPTextModel(library.CLIPTextConfig.from_dict({**config, "dtype": "float32"}))
    except Exception as error:  # of any kind, depending on the configuration
        problem = f"transformers makes no text encoder of {folder}/config.json ({describe_error(error)})"
        raise InputError(Problem(problem, "repair that file")) from error
    prefix = _OF_TRANSFORMERS if any(name.startswith(_OF_TRANSFORMERS) for name in network.state_dict()) else ""
    weights.load_weights(network, {prefix + name: tensor for name, tensor in tensors.items()}, folder)
    return network.eval()


def _current_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the prefix, and the numbers of the positions, which old versions of transformers stored."""
    return {
        name.removeprefix(_OF_TRANSFORMERS): tensor
        for name, tensor in tensors.items()
        if not name.endswith("embeddings.position_ids")
    }
