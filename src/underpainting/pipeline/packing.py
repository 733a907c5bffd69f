"""Tokens of 2 x 2 latents, in which the networks of Flux and others like it have their states."""

from __future__ import annotations

from torch import Tensor

PACKED = 2  # latents per side of a token


def unpacked(tokens: Tensor, height: int, width: int) -> Tensor:
    """Turn tokens of 2 x 2 pixels, shape (sample, token, 4 channel), into latents, shape (sample, channel, height, width)."""
    grid = tokens.unflatten(1, (height // PACKED, width // PACKED)).unflatten(3, (-1, PACKED, PACKED))
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), -1, height, width)


def packed_again(latents: Tensor) -> Tensor:
    """Turn latents into tokens of 2 x 2 pixels, as Flux has them; the inverse of `unpacked`."""
    count, channels, height, width = latents.shape
    grid = latents.view(count, channels, height // PACKED, PACKED, width // PACKED, PACKED)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(count, -1, channels * PACKED**2)
