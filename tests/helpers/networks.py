"""A UNet for images of 8 x 8 pixels that is small enough to be called many times."""

from __future__ import annotations

import torch
from torch import nn

from underpainting.training.trainer import make_unet

SMALL = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "attention_levels": 0,
    "attention_head_dim": 8,
    "norm_num_groups": 4,
}


def small_unet() -> nn.Module:
    """With random weights, the same each time."""
    torch.manual_seed(0)
    return make_unet((1, 8, 8), **SMALL)
