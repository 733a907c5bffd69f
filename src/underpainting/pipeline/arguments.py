"""Arguments of the pipeline's call about its images: their noise and their class labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import SystemRandom
from typing import NamedTuple

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Generator, Tensor

from underpainting.samplers.randomness import initial_noise

Generators = Generator | list[Generator]
Labels = int | Sequence[int] | Tensor
LARGEST_SEED = 2**31


class Randomness(NamedTuple):
    """Random numbers of a batch.

    Attributes:
        noise: standard normal, shape (sample, channel, height, width).
        seeds: one per image, for the noise that stochastic samplers add and, unless generators were given, for `noise`.
    """

    noise: Tensor
    seeds: list[int]


def noise_from_seeds(shape: Sequence[int], batch_size: int | None, seeds: Sequence[int] | None) -> Randomness:
    """Draw the noise from the seeds of the images, or from new ones.

    Raises:
        ValueError: the numbers of seeds and images differ.
    """
    if seeds is None:
        system = SystemRandom()
        seeds = [system.randrange(LARGEST_SEED) for _ in range(batch_size or 1)]
    if batch_size not in (None, len(seeds)):
        raise ValueError(f"{len(seeds)} seeds are given for {batch_size} images; leave batch_size out")
    return Randomness(initial_noise(seeds, shape), list(seeds))


def noise_from_generators(
    shape: Sequence[int], batch_size: int | None, generators: Generators, stochastic: bool
) -> Randomness:
    """Draw the noise from generators, as diffusers' pipelines do, and then seeds for a stochastic sampler.

    Args:
        shape: (channel, height, width).
        batch_size: number of images, with a single generator.
        generators: one for all images, or one for each.
        stochastic: whether the sampler needs seeds.
    """
    each = generators if isinstance(generators, list) else [generators] * (batch_size or 1)
    noise = randn_tensor((len(each), *shape), generator=generators, device=each[0].device)
    drawn = [torch.randint(LARGEST_SEED, (), generator=one, device=one.device) for one in each] if stochastic else []
    return Randomness(noise, [int(seed) for seed in drawn])


def checked_labels(labels: Labels | None, count: int, classes: Mapping[str, int]) -> Tensor | None:
    """Return class labels as a tensor of shape (sample,); None if none are given.

    Args:
        labels: one per image, or one for all.
        count: number of images.
        classes: number of classes of `network` and `basis`, 0 for none.

    Raises:
        ValueError: the network needs labels and there are none, neither has classes, or a label is no class.
    """
    if labels is None:
        if classes["network"]:
            raise ValueError("the network is class-conditional; give class_labels, one per image or one for all")
        return None
    if not any(classes.values()):
        raise ValueError("neither network nor basis knows classes; leave class_labels out")
    found = torch.as_tensor(labels).cpu()
    found = found.expand(count) if found.ndim == 0 else found
    if found.shape != (count,) or found.is_floating_point():
        raise ValueError(f"class_labels must be {count} whole numbers, one per image, or a single one; got {labels}")
    for name, known in classes.items():
        if known and not 0 <= int(found.min()) <= int(found.max()) < known:
            raise ValueError(
                f"class_labels must lie between 0 and {known - 1}, the classes of the {name}; got {labels}"
            )
    return found
