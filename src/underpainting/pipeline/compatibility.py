"""Checks that network, scheduler and basis of a pipeline fit together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from underpainting.basis.stored import StoredBasis, require_range, require_space
from underpainting.noise.families import Family
from underpainting.pipeline.basis import TeleportBasis
from underpainting.pipeline.schedulers import network_kind

OF_DIFFUSERS = "UNet2DModel"


def require_basis(unet: Any, basis: TeleportBasis | StoredBasis | None) -> None:
    """Check that a basis is of images like the network's.

    Raises:
        ValueError: it is missing, or size, number of channels, range or space differ.
    """
    if basis is None:
        raise ValueError(
            "a TeleportPipeline needs a basis of the training images: pass basis=TeleportBasis.from_file('basis.safetensors'), "
            "which `underpainting basis` writes"
        )
    require_range(basis.card, "basis")
    require_space(basis.card, "pixels", "basis")
    channels, height, width = basis.card.image_shape
    size = unet.config["sample_size"]
    sizes = (height, width) if size is None else (size, size) if isinstance(size, int) else tuple(size)
    if (unet.config["in_channels"], *sizes) != (channels, height, width):
        raise ValueError(
            f"the basis is one of {channels} x {height} x {width} images, the network takes "
            f"{unet.config['in_channels']} x {sizes[0]} x {sizes[1]}; compute the basis from images as the network knows them"
        )
    if unet.config.get("out_channels", channels) != channels:
        raise ValueError(
            f"the network has {unet.config['out_channels']} output channels for images of {channels}; networks that also "
            "predict a variance are not supported"
        )


def require_kind(scheduler: Any, kind: Family) -> None:
    """Check that a scheduler is for the kind of network that the pipeline was made with.

    Raises:
        ValueError: it is not; the network would be given wrong levels.
    """
    if network_kind(scheduler) != kind:
        raise ValueError(
            f"the scheduler {type(scheduler).__name__} belongs to {network_kind(scheduler)} networks, this one is of the kind "
            f"{kind}; leave the scheduler that came with it, and choose the sampler in the call, as in pipe(sampler='heun')"
        )


def written_by_the_library(folder: str | Path) -> bool:
    """Return whether diffusers has no class for the network in a folder: a residual or an official EDM network."""
    config = Path(folder) / "unet" / "config.json"
    return config.is_file() and json.loads(config.read_text(encoding="utf-8")).get("_class_name") != OF_DIFFUSERS
