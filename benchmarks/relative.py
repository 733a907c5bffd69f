"""`python -m benchmarks.relative`: what the relative sampler's own arithmetic costs beside the network's calls.

A walk of six steps from the noise to the images with a denoiser that costs nothing, against as many bare calls of a network for
as many images; both in turn. A step costs two products with the vectors of the basis, 4 r D operations for an image of D values
and r components; the walk further carries the noise to the first level.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.measure import Ratio, print_each, ratio
from benchmarks.paper_models import low_rank_basis
from benchmarks.sampling import cifar_network, random_basis, schedule
from tests.snapshots import write
from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import load_network
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample

STEPS, BATCH, RANKS, LARGE_BATCH = 6, 64, (512, 32), 4
LARGE = (3, 256, 256)
SHIPPED = Path(__file__).parents[1] / "config/networks/cifar10"
GOAL = "at most 0.02"


class Peer(NamedTuple):
    """A network to compare with.

    Attributes:
        name: of the row.
        network: called as `network(images, times)`.
        called: images per call; its time is proportional to their number.
    """

    name: str
    network: nn.Module
    called: int


def cost(basis: Eigenbasis, batch: int, peer: Peer, pairs: int = 5) -> Ratio:
    """A walk's own arithmetic for `batch` images, against the network's calls for as many."""
    sampler, noise = Sampler("relative", STEPS, schedule(), basis), initial_noise(range(batch), basis.image_shape)
    endpoint, times = torch.tanh(noise), torch.full((peer.called,), 500.0)

    def free(images: Tensor, alpha: float, sigma: float) -> Tensor:  # noqa: ARG001
        return endpoint

    def walk() -> None:
        sample(sampler, free, sampler.start(noise))

    def call() -> None:
        with torch.inference_mode():
            peer.network(noise[: peer.called], times)

    rank = "complete basis" if basis.rank == basis.pixels else f"rank {basis.rank}"
    name = f"relative, {STEPS} steps, {basis.pixels:,} pixels, {batch} images, {rank}"
    beside = f"{STEPS} calls of {peer.name} ({batch // peer.called} x {peer.called} images)"
    return ratio(name, walk, beside, call, GOAL, pairs=pairs, scale=STEPS * batch / peer.called)


def small_images() -> list[Ratio]:
    """At 3,072 pixels, beside the network that ships and one of the paper's size with random weights."""
    complete = random_basis(3, 32)
    shipped = Peer("the CIFAR-10 network that ships", load_network(SHIPPED)[0].eval(), BATCH)
    peers = [shipped, Peer("DDPM CIFAR-10", cifar_network(), 16)]
    bases = [complete, *(eigenbasis.truncate(complete, rank=rank) for rank in RANKS)]
    return [cost(basis, BATCH, peer) for peer in peers for basis in bases]


def large_images() -> list[Ratio]:
    """At 196,608 pixels, beside the paper's network of CelebA-HQ with random weights."""
    with TemporaryDirectory() as folder:
        network, _ = load_network(write("ddpm_celebahq", Path(folder)))
    return [cost(low_rank_basis(LARGE, RANKS[0]), LARGE_BATCH, Peer("DDPM CelebA-HQ", network.eval(), 1), pairs=3)]


def main() -> None:
    """Print the ratios as they come."""
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print_each({"small images": small_images, "large images": large_images})


if __name__ == "__main__":
    main()
