"""Eigenbasis of a network's own samples: images, or latents under prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.estimate import Labelled, estimate, make_stored_basis, spool_images
from underpainting.basis.shrinkage import shrunk_gaussian
from underpainting.basis.stored import LatentSpace, StoredBasis
from underpainting.denoisers import Denoiser
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.io.tensor_files import digest
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


def of_prompts(
    model: LatentModel,
    sampler: Sampler,
    prompts: Sequence[str],
    seeds: range,
    guidance: Guidance,
    negative: str = "",
    *,
    name: str,
    batch_size: int,
    rank: int | None = None,
) -> StoredBasis:
    """Estimate the Gaussian of a model's own latents under each prompt.

    With several prompts, each Gaussian is shrunk towards that of the latents under all of them (`basis.shrinkage`).

    Args:
        model: the latent model.
        sampler: walked from its start, without a jump.
        prompts: all different.
        seeds: one per latent, the same for every prompt.
        guidance: of the network's estimates.
        negative: the negative prompt.
        name: name of the samples, for the card.
        batch_size: latents per network call.
        rank: components to keep; by default all, of several prompts as many as each has.

    Raises:
        ValueError: fewer than two samples, a prompt twice, one that is too long, or a rank that is not possible.
    """
    if len(seeds) < 2 or len(set(prompts)) != len(prompts):
        raise ValueError("a Gaussian needs two samples or more, and prompts that differ")
    embeddings, without = model.embed(prompts), model.embed([negative])
    denoisers = (model.denoiser(one[None], guidance, without) for one in embeddings)
    latents = torch.stack(
        [_latents(denoiser, sampler, seeds, model.latent_shape, batch_size) for denoiser in denoisers]
    )
    flat, shape = latents.flatten(2).double().numpy(), model.latent_shape
    common = eigenbasis.basis_of_images(flat.reshape(-1, flat.shape[2]), shape)
    space = LatentSpace(model.scaling_factor, model.vae_digest, tuple(prompts))
    return StoredBasis.of(
        eigenbasis.truncate(common, rank=rank),
        name,
        _of_one_rank([shrunk_gaussian(own, common).basis for own in flat], rank) if len(prompts) > 1 else (),
        count=len(prompts) * len(seeds),
        method="the samples of each prompt shrunk towards all" if len(prompts) > 1 else "exact",
        data_digest=digest({"latents": latents}),
        latents=space,
    )


def _of_one_rank(bases: Sequence[Eigenbasis], rank: int | None) -> list[Eigenbasis]:
    rank = rank or min(basis.rank for basis in bases)
    return [eigenbasis.truncate(basis, rank=rank) for basis in bases]


def _latents(denoiser: Denoiser, sampler: Sampler, seeds: range, shape: tuple[int, ...], batch_size: int) -> Tensor:
    batches = seed_batches(seeds, batch_size)
    noise = ((batch, initial_noise(batch, shape)) for batch in batches)
    return torch.cat([sample(sampler, denoiser, sampler.start(one), seeds=batch).cpu() for batch, one in noise])
