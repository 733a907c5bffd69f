"""Eigenbasis of a network's own samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from underpainting.basis.estimate import Labelled, estimate, make_stored_basis, spool_images
from underpainting.basis.stored import StoredBasis
from underpainting.denoisers import Denoiser
from underpainting.samplers.randomness import initial_noise, seed_batches
from underpainting.samplers.walk import Sampler, sample


def of_samples(
    denoiser: Denoiser,
    sampler: Sampler,
    seeds: range,
    shape: tuple[int, ...],
    name: str,
    batch_size: int,
    **options: Any,
) -> StoredBasis:
    """Estimate the eigenbasis of a network's own samples, rounded to bytes as pictures are.

    Args:
        denoiser: the network.
        sampler: walked from its start, without a jump.
        seeds: one per image.
        shape: (channel, height, width).
        name: name of the samples, for the card.
        batch_size: images per network call.
        options: of `estimate`.

    Raises:
        ValueError: as `estimate`.
    """
    with spool_images(_samples(denoiser, sampler, seeds, shape, batch_size), shape) as spool:
        return make_stored_basis(estimate(spool, **options), spool, name, options)


def _samples(
    denoiser: Denoiser, sampler: Sampler, seeds: range, shape: tuple[int, ...], batch_size: int
) -> Iterator[Labelled]:
    for batch in seed_batches(seeds, batch_size):
        images = sample(sampler, denoiser, sampler.start(initial_noise(batch, shape)), seeds=batch)
        pixels = np.round((images.clamp(-1, 1).numpy() + 1) * 127.5).astype(np.uint8)
        yield pixels, np.full(len(batch), -1)
