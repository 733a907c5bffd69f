"""Images decoded from latents, stored as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting.denoisers.latent_model import LatentModel
from underpainting.io.artifacts import IMAGE_DIMS, image_array

_BYTES = {"dtype": "uint8", "scale_factor": 2 / 255, "add_offset": -1.0}
_AT_ONCE = 2**24  # values of images in memory while decoding


def decode(model: LatentModel, latents: Any) -> np.ndarray[Any, Any]:
    """Decode latents to images in [-1, 1], clipped, float32.

    Args:
        model: latent model.
        latents: array or tensor of shape (..., channel, height, width) or (..., pixel).
    """
    values = torch.as_tensor(latents).float()
    axes = values.shape[:-3] if values.shape[-3:] == model.latent_shape else values.shape[:-1]
    batch = max(1, _AT_ONCE // int(np.prod(model.image_shape)))
    parts = [model.decode(part).float().cpu() for part in values.reshape(-1, *model.latent_shape).split(batch)]
    return torch.cat(parts).clamp(-1, 1).reshape(*axes, *model.image_shape).numpy()


def byte_images(images: np.ndarray[Any, Any], dims: Sequence[str], text: str) -> xr.DataArray:
    """Label images (*dims, channel, height, width) in [-1, 1], which an artifact stores as bytes."""
    found = image_array(images, (*dims, *IMAGE_DIMS), text)
    found.encoding = dict(_BYTES)
    return found
