"""Loads an unconditional UNet2DModel of diffusers, for square images, with exactly the weights of its files.

A network with learned variance (Nichol & Dhariwal 2021) has twice as many output channels as input channels. The
first half is the prediction of the scheduler's `prediction_type`, the second half the variance, which no sampler here
uses; only the first half is kept, as in diffusers' samplers. The output channels of the last convolution are
independent, so the first half is unchanged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from underpainting.denoisers import weights
from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import describe_error
from underpainting.io.network_config import image_size, read_config

log = logging.getLogger(__name__)

CLASS_NAME = "UNet2DModel"
_CONDITIONS = ("num_class_embeds", "class_embed_type", "encoder_hid_dim", "cross_attention_dim", "addition_embed_type")


def prediction_channels(config: Mapping[str, Any], schedule: Mapping[str, Any]) -> int:
    """Return the number of a network's output channels that are its prediction: all, or half with a learned variance.

    Args:
        config: of the network.
        schedule: the configuration of its scheduler.

    Raises:
        ValueError: the output channels are neither the input channels nor, with a learned variance, twice as many.
    """
    channels, found = config.get("in_channels", 3), config.get("out_channels", 3)
    learned = schedule.get("variance_type") in (None, "learned", "learned_range")
    if found == channels or (learned and found == 2 * channels):
        return int(channels)
    variance = str(schedule.get("variance_type"))[:200]
    problem = f"the network has {found} output channels for images of {channels}, with variance_type {variance}"
    raise InputError(Problem(problem, "use one that predicts an image, or an image and a learned variance"))


def require_unconditional(config: Mapping[str, Any]) -> None:
    """Check that a network is a UNet2DModel and needs only an image and a time.

    Raises:
        ValueError: it is not, or needs more.
    """
    require_class(config)
    if found := [key for key in _CONDITIONS if config.get(key) is not None]:
        problem = f"the network is conditional ({found[0]}: {str(config[found[0]])[:200]})"
        raise InputError(Problem(problem, "use an unconditional one"))
    if config.get("time_embedding_type") == "learned":
        problem = "the network knows whole times alone (time_embedding_type: learned)"
        raise InputError(Problem(problem, "use one with another embedding"))


def require_class(config: Mapping[str, Any]) -> None:
    """Check that a network is a UNet2DModel.

    Raises:
        ValueError: it is of another class.
    """
    if (name := config.get("_class_name")) != CLASS_NAME:
        raise InputError(Problem(f"the network is a {str(name)[:200]}", f"use a {CLASS_NAME}, in pixel space"))


def load(folder: str | Path, schedule: Mapping[str, Any]) -> nn.Module:
    """Load the network of a folder in float32, without the output channels of a learned variance.

    Args:
        folder: holds `config.json` and safetensors.
        schedule: the configuration of its scheduler.

    Raises:
        FileNotFoundError: there are no safetensors.
        ValueError: it is not a network of this kind, or its weights are not those of its configuration.
    """
    config = read_config(Path(folder) / "config.json")
    require_unconditional(config)
    channels = prediction_channels(config, schedule)
    network = build_unet({**config, "sample_size": image_size(config)}, folder)
    weights.load_weights(network, _tensors(network, folder), folder)
    return network if channels == network.config["out_channels"] else _without_variance_channels(network, channels)


def require_as_saved(folder: str | Path, variant: str = "") -> None:
    """Check that a folder holds exactly its network's weights, with or without classes; diffusers loads a part, too.

    Raises:
        FileNotFoundError: there are no safetensors.
        ValueError: it is not a network of this kind, or its weights are not those of its configuration.
    """
    config = read_config(Path(folder) / "config.json")
    require_class(config)
    with torch.device("meta"):
        network = build_unet(config, folder)
    weights.require_match(network.state_dict(), _tensors(network, folder, variant), folder)


def _tensors(network: Any, folder: str | Path, variant: str = "") -> dict[str, Tensor]:
    """Read the tensors of a folder by their current names in diffusers, not those of its first releases."""
    tensors = weights.read_weights(folder, variant)
    network._fix_state_dict_keys_on_load(tensors)
    return tensors


def build_unet(config: Mapping[str, Any], folder: str | Path) -> Any:
    """Build a UNet2DModel without loading its weights.

    Raises:
        ValueError: diffusers cannot build it.
    """
    return build_component(CLASS_NAME, config, folder)


def load_component(name: str, folder: str | Path) -> Any:
    """Load a network of diffusers in float32, with exactly the weights of its files.

    Args:
        name: its class in diffusers, `UNet2DConditionModel` or `AutoencoderKL`.
        folder: holds `config.json` and safetensors.

    Raises:
        FileNotFoundError: there are no safetensors.
        ValueError: diffusers cannot build the network, or the weights are not those of its configuration.
    """
    network = build_component(name, read_config(Path(folder) / "config.json"), folder)
    weights.load_weights(network, _tensors(network, folder), folder)
    return network


def build_component(name: str, config: Mapping[str, Any], folder: str | Path) -> Any:
    """Build a network of a class of diffusers without loading its weights.

    Raises:
        ValueError: diffusers cannot build it.
    """
    import diffusers
    from diffusers.models.modeling_utils import no_init_weights

    try:
        with no_init_weights():
            return getattr(diffusers, name).from_config(dict(config)).eval()
    except Exception as error:  # of any kind, depending on the configuration
        problem = f"diffusers makes no network of {folder}/config.json ({describe_error(error)})"
        raise InputError(Problem(problem, "repair that file")) from error


def _without_variance_channels(network: Any, channels: int) -> Any:
    """Return the network without the output channels of its learned variance."""
    log.info("learned variance: the first %d of %d output channels are kept", channels, network.config["out_channels"])
    last: nn.Module = network.conv_out
    kept = build_unet({**network.config, "_class_name": CLASS_NAME, "out_channels": channels}, "the network")
    tensors = network.state_dict()
    tensors |= {f"conv_out.{name}": value[:channels].clone() for name, value in last.state_dict().items()}
    kept.load_state_dict(tensors)
    return kept
