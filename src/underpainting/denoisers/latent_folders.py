"""Checks the folder of a latent model with text prompts by its configuration files, before any weights are read.

The layout is that of diffusers' StableDiffusionPipeline (Stable Diffusion 1.x and 2.x):

    model_index.json    the classes of the components
    unet/               UNet2DConditionModel: cross-attention to the prompt is its only condition
    vae/                AutoencoderKL
    text_encoder/       CLIPTextModel
    tokenizer/          CLIPTokenizer: tokenizer.json, or vocab.json and merges.txt as in old folders
    scheduler/          of the variance-preserving path

A safety checker may be there or not: it judges images for publication and is not loaded. Everything else is refused,
since it needs inputs that are unknown here: Stable Diffusion XL, networks of transformers (SD 3, Flux), inpainting,
image to image by further input channels, class labels, distilled networks that know the guidance scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from underpainting.denoisers import weights
from underpainting.io.errors import InputError, MissingFileError, Problem
from underpainting.io.network_config import image_size, read_config

INDEX = "model_index.json"
CLASSES = {
    "unet": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
    "text_encoder": "CLIPTextModel",
    "tokenizer": "CLIPTokenizer",
}
STEMS = {"unet": weights.DIFFUSERS, "vae": weights.DIFFUSERS, "text_encoder": weights.TRANSFORMERS}
FILES = (
    INDEX,
    *(f"{part}/config.json" for part in STEMS),
    *(f"{part}/{stem}*.safetensors*" for part, stem in STEMS.items()),
    "tokenizer/*.json",
    "tokenizer/merges.txt",
    "scheduler/scheduler_config.json",
)
"""Patterns of the files that are read, for a download that leaves out the rest of a repository."""

_NOT_LOADED = ("safety_checker", "feature_extractor", "basis")
_OTHER_MODELS = {
    "text_encoder_2": "a model with two text encoders (Stable Diffusion XL)",
    "transformer": "a model whose network is a transformer (Stable Diffusion 3, Flux, PixArt)",
    "prior_prior": "a model with a prior",
    "controlnet": "a model with a ControlNet",
}
_CONDITIONS = (
    "class_embed_type",
    "num_class_embeds",
    "addition_embed_type",
    "encoder_hid_dim",
    "encoder_hid_dim_type",
    "time_cond_proj_dim",
)
_REMEDY = "give a folder in the layout of StableDiffusionPipeline (Stable Diffusion 1.x or 2.x)"
# defaults of AutoencoderKL and CLIPTextConfig, for keys that are left out
_FACTOR, _WIDTH, _POSITIONS = 0.18215, 768, 77


@dataclass(frozen=True)
class LatentLayout:
    """Shapes of a latent model, as its configuration files say.

    Attributes:
        latent_shape: (channel, height, width) of the latents.
        image_shape: the same of the images.
        scaling_factor: of the latents: x_0 is it times the VAE's own latent.
        tokens: length of a prompt in tokens, with begin and end.
        features: width of the text encoder.
    """

    latent_shape: tuple[int, int, int]
    image_shape: tuple[int, int, int]
    scaling_factor: float
    tokens: int
    features: int


def is_latent_folder(folder: str | Path) -> bool:
    """Return whether a folder's index names a VAE, so that it is no folder of a network of pixels."""
    index = Path(folder) / INDEX
    return index.is_file() and _is_component(read_config(index).get("vae"))


def read_layout(folder: str | Path) -> LatentLayout:
    """Check a folder by its configuration files and the names of its weights, and return the model's shapes.

    Raises:
        MissingFileError: the folder, a component, or its weights in safetensors are missing.
        InputError: the model is of another kind.
    """
    folder = Path(folder)
    if not (folder / INDEX).is_file():
        raise MissingFileError(
            Problem(f"{folder / INDEX} is missing: {folder} is no diffusers pipeline folder", _REMEDY)
        )
    _require_components(folder, read_config(folder / INDEX))
    for part, stem in STEMS.items():
        weights.find_weights(folder / part, stem=stem)
    unet, vae, text = (read_config(folder / part / "config.json") for part in STEMS)
    return layout_of(unet, vae, text, _tokenizer_length(folder))


def layout_of(
    unet: Mapping[str, Any], vae: Mapping[str, Any], text: Mapping[str, Any], longest: int | None = None
) -> LatentLayout:
    """Check that the components of a latent model fit each other, and return the model's shapes.

    Args:
        unet, vae, text: configurations of network, VAE and text encoder.
        longest: length of a prompt that the tokenizer knows; None if it does not say.

    Raises:
        InputError: the network needs more than latents, times and prompts, or the components do not fit.
    """
    channels = int(vae.get("latent_channels", 4))
    features, positions = text.get("hidden_size", _WIDTH), text.get("max_position_embeddings", _POSITIONS)
    _require_prompts_alone(unet, channels, features)
    if vae.get("shift_factor") or vae.get("latents_mean"):
        raise InputError(Problem("the VAE shifts its latents (shift_factor, latents_mean)", _REMEDY))
    if (size := image_size(unet)) is None:
        raise InputError(
            Problem("the network does not say how large its latents are", "add sample_size to its config.json")
        )
    pixels = size * 2 ** (len(vae.get("block_out_channels", (64,))) - 1)
    return LatentLayout(
        (channels, size, size),
        (int(vae.get("in_channels", 3)), pixels, pixels),
        float(vae.get("scaling_factor", _FACTOR)),
        min(longest or positions, positions),
        int(features),
    )


def _is_component(entry: Any) -> bool:
    return isinstance(entry, list) and any(entry)


def _require_components(folder: Path, index: Mapping[str, Any]) -> None:
    """Check that the index names the five components, of known classes, and no other, and that their files exist."""
    parts = {name: entry[-1] for name, entry in index.items() if not name.startswith("_") and _is_component(entry)}
    for name, kind in _OTHER_MODELS.items():
        if name in parts:
            raise InputError(Problem(f"{folder} holds {kind}", _REMEDY))
    if missing := [name for name in (*CLASSES, "scheduler") if name not in parts]:
        raise MissingFileError(Problem(f"{folder / INDEX} names no {' and no '.join(missing)}", _REMEDY))
    for name, known in CLASSES.items():
        if str(parts[name]).removesuffix("Fast") != known:
            problem = f"the component {name} of {folder} is a {str(parts[name])[:200]}, not a {known}"
            raise InputError(Problem(problem, _REMEDY))
    if more := [name for name in parts if name not in (*CLASSES, "scheduler", *_NOT_LOADED)]:
        raise InputError(
            Problem(f"{folder / INDEX} names {', '.join(more[:3])[:200]}, which is not known here", _REMEDY)
        )
    _require_files(folder)


def _require_files(folder: Path) -> None:
    needed = [*(f"{part}/config.json" for part in STEMS), "scheduler/scheduler_config.json"]
    if not (folder / "tokenizer/tokenizer.json").is_file():
        needed += ["tokenizer/vocab.json", "tokenizer/merges.txt"]
    if missing := [name for name in needed if not (folder / name).is_file()]:
        problem = f"{folder} holds no {', '.join(missing)}"
        raise MissingFileError(Problem(problem, "get the complete folder again, as save_pretrained wrote it"))


def _require_prompts_alone(unet: Mapping[str, Any], channels: int, features: int) -> None:
    """Check that a network takes latents, times and embeddings of prompts, and nothing else."""
    found, out = unet.get("in_channels", 4), unet.get("out_channels", 4)
    if found == 2 * channels + 1:
        raise InputError(Problem(f"the network has {found} input channels: it is one for inpainting", _REMEDY))
    if found != channels or out != channels:
        problem = f"the network has {found} input and {out} output channels for latents of {channels}"
        raise InputError(Problem(problem, "use a network of text to image alone, without further inputs"))
    pooled = unet.get("addition_embed_type") == "text"  # which the network takes from the embedded prompt itself
    asked = [key for key in _CONDITIONS if unet.get(key) is not None]
    if wrong := [key for key in asked if not (pooled and key == "addition_embed_type")]:
        problem = f"the network needs more than a prompt ({wrong[0]}: {str(unet[wrong[0]])[:200]})"
        raise InputError(Problem(problem, "use a network of text to image alone"))
    if unet.get("cross_attention_dim", 1280) != features:
        problem = f"the network attends to {unet.get('cross_attention_dim', 1280)} features, the text encoder gives {features}"
        raise InputError(Problem(problem, "use components that were trained together"))


def _tokenizer_length(folder: Path) -> int | None:
    """Return the longest prompt that the tokenizer's configuration states, if any; transformers writes 1e30 for none."""
    file = folder / "tokenizer/tokenizer_config.json"
    stated = read_config(file).get("model_max_length") if file.is_file() else None
    return int(stated) if isinstance(stated, int | float) and 0 < stated < 1e6 else None
