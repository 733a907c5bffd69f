"""Random numbers of an image, each from its seed alone: initial noise, and the noise that a stochastic sampler adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

# a generator on the CPU takes 32 bits of a seed: initial noise uses the seed, added noise its complement
_LARGEST = 2**32 - 1


def initial_noise(seeds: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Draw standard normal noise, one random number stream per image: image i depends on seed i alone.

    Args:
        seeds: one per image.
        shape: (channel, height, width).

    Returns:
        shape (sample, channel, height, width), float32, made on the CPU whatever the device of the network.
    """
    return torch.stack([torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def added_noise(seeds: Sequence[int]) -> list[torch.Generator]:
    """Create the random streams of a stochastic sampler, one per image; they differ from those of `initial_noise`."""
    return [torch.Generator().manual_seed(_LARGEST - seed) for seed in seeds]


def draw(generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
    """Draw standard normal noise in the shape and dtype of `like`, image i from generator i."""
    shape = like.shape[1:]
    return torch.stack([torch.randn(shape, generator=stream, dtype=like.dtype) for stream in generators]).to(
        like.device
    )


def seed_batches(seeds: range, size: int) -> Iterator[list[int]]:
    """Split a range of seeds into batches of at most `size`."""
    return (list(seeds[start : start + size]) for start in range(0, len(seeds), size))
