"""The paper's models at full size, random weights inside: a jump in a low-rank basis against one call of the network.

A jump costs what two products with the r vectors of the basis cost, 4 r D operations for an image of D values; with r = 256 and
D = 196,608 (3 x 256 x 256) that is 0.2 billion, where the network of 114 million parameters takes some hundred times more
for each of the steps that the jump saves.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.job import cost
from benchmarks.measure import Ratio, ratio, table
from benchmarks.sampling import jump_cost
from tests.snapshots import SNAPSHOTS, write
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import load_denoiser
from underpainting.denoisers.compute import Compute
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample
from underpainting.teleport.hybrid_sampler import state_at_step
from underpainting.teleport.jumps import GaussianJump


def low_rank_basis(shape: tuple[int, int, int], rank: int) -> Eigenbasis:
    """Random axes of images of shape (channel, height, width) with the variances of a natural spectrum."""
    pixels = shape[0] * shape[1] * shape[2]
    vectors = torch.linalg.qr(torch.randn(pixels, rank, dtype=torch.float64)).Q
    variances = 100.0 / torch.arange(1, rank + 1, dtype=torch.float64)
    return Eigenbasis(torch.zeros(pixels, dtype=torch.float64), vectors, variances, float(variances.sum()), shape)


def jump_against_call(name: str, rank: int = 256, pairs: int = 3) -> Ratio:
    """One image jumps over 10 of 50 steps of DDIM; one image goes through the network once."""
    with TemporaryDirectory() as folder:
        denoiser, schedule = load_denoiser(write(name, Path(folder)), Compute("cpu"))
    sampler, basis = Sampler("ddim", 50, schedule), low_rank_basis(denoiser.image_shape, rank)
    noise, level = initial_noise([0], denoiser.image_shape), sampler.grid[10]
    return ratio(
        f"{name}: jump, rank {rank}",
        lambda: state_at_step(GaussianJump(basis), sampler, noise, 10),
        "one network call",
        lambda: denoiser(noise, level.alpha, level.sigma),
        "at most 0.02",
        pairs=pairs,
    )


def two_steps(folder: str) -> None:
    """Load a snapshot and take two steps of DDIM with one image."""
    denoiser, schedule = load_denoiser(folder, Compute("cpu"))
    sampler = Sampler("ddim", 2, schedule)
    sample(sampler, denoiser, sampler.start(initial_noise([0], denoiser.image_shape)))


def main() -> None:
    """Print memory and time of two steps for each architecture, and the ratios of jump and call."""
    torch.manual_seed(0)
    for name in ("ddpm_cifar10", "ddpm_church"):
        with TemporaryDirectory() as folder:
            write(name, Path(folder))
            spent = cost("benchmarks.paper_models", "two_steps", folder=folder)
        print(
            f"{name}: {SNAPSHOTS[name].parameters:,} parameters, loaded and two steps of one image: "
            f"{spent.seconds:.1f} s, at most {spent.gibibytes:.2f} GiB",
            flush=True,
        )
    print(table([jump_against_call("ddpm_cifar10"), jump_against_call("ddpm_celebahq"), jump_cost()]))


if __name__ == "__main__":
    main()
