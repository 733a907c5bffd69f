"""The random numbers of an image: its initial noise, and the noise that a stochastic sampler adds, each from its seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

# a generator on the CPU takes 32 bits of a seed: the noise added has the complement of the seed, the noise begun with the seed
_LARGEST = 2**32 - 1


def initial_noise(seeds: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Standard normal noise, one random number stream per image: image i depends on seed i alone.

    Args:
        seeds: one per image.
        shape: (channel, height, width).

    Returns:
        shape (sample, channel, height, width), float32, made on the CPU whatever the device of the network.
    """
    return torch.stack([torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def added_noise(seeds: Sequence[int]) -> list[torch.Generator]:
    """The streams from which a stochastic sampler draws, one per image; others than those of `initial_noise`."""
    return [torch.Generator().manual_seed(_LARGEST - seed) for seed in seeds]


def draw(generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
    """Standard normal noise in the shape and dtype of `like`, image i from generator i."""
    shape = like.shape[1:]
    return torch.stack([torch.randn(shape, generator=stream, dtype=like.dtype) for stream in generators]).to(
        like.device
    )


def seed_batches(seeds: range, size: int) -> Iterator[list[int]]:
    """A range of seeds, at most `size` at a time."""
    return (list(seeds[start : start + size]) for start in range(0, len(seeds), size))
