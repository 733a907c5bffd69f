"""Batches of images of several prompts: every seed of the first prompt, then of the next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from underpainting.denoisers.latent_model import LatentModel
    from underpainting.denoisers.prompted import Guidance
    from underpainting.teleport.prompted import PromptBatch


class Numbers(NamedTuple):
    """Number of the prompt, and seed, of each image of a batch."""

    prompts: list[int]
    seeds: list[int]


def numbers(config: dict[str, Any]) -> Iterator[Numbers]:
    """Yield prompts and seeds, batch by batch.

    Args:
        config: `prompts`, `seeds` as first and stop, and `batch_size`.
    """
    pairs = list(product(range(len(config["prompts"])), range(*config["seeds"])))
    for start in range(0, len(pairs), config["batch_size"]):
        prompts, seeds = zip(*pairs[start : start + config["batch_size"]], strict=True)
        yield Numbers(list(prompts), list(seeds))


def batch(model: LatentModel, embeddings: Tensor, guidance: Guidance, chosen: Numbers) -> PromptBatch:
    """Make the noise and denoiser of a batch; embeddings are those of all prompts."""
    from underpainting.samplers.randomness import initial_noise
    from underpainting.teleport.prompted import PromptBatch

    denoiser = model.denoiser(embeddings[chosen.prompts], guidance)
    return PromptBatch(initial_noise(chosen.seeds, model.latent_shape), chosen.prompts, denoiser)
