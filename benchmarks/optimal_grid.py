"""Levels from the variances of a basis against hand-made grids: `python -m benchmarks.optimal_grid BASIS NETWORK`.

Both are for the steps of Euler (or `--sampler heun`) on the range of levels that the network was trained on. Two measures,
each over that of the best hand-made grid: the root of the loss on Gaussian data (`samplers.optimal_grid`), and the root mean
squared distance, over images and pixels, from the network's own solution of the same noise, with its interval over the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from underpainting.basis.variances import read_variances
from underpainting.denoisers import Denoiser, load_denoiser
from underpainting.noise.grid_names import COVARIANCE, GRIDS
from underpainting.noise.grids import make_grid
from underpainting.noise.levels import NoiseGrid
from underpainting.noise.schedules import Schedule, karras_grid, least_ratio, schedule_of
from underpainting.quality.reference_solution import solve, squared_errors
from underpainting.samplers.optimal_grid import SAMPLERS, FloatArray, loss, optimal_ratios
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample

STEPS = (4, 6, 8, 12)
RESAMPLES = 2000
HEADINGS = ("steps", "best hand-made on Gaussian data", "ratio", "best hand-made on the network", "ratio", "95 %")


def hand_made(schedule: Schedule, steps: int) -> dict[str, FloatArray]:
    """sigma / alpha of each level of the usual grids, by name."""
    grids = {name: make_grid(name, schedule, steps) for name in GRIDS if name != COVARIANCE}
    return {name: grid.sigma / grid.alpha for name, grid in grids.items()}


def errors(
    name: str, denoiser: Denoiser, schedule: Schedule, ratios: FloatArray, noise: Any, solution: Any
) -> FloatArray:
    """Squared distance of each image of a sampler from the solution, mean over pixels, shape (sample,)."""
    sampler = Sampler.on(name, NoiseGrid.of([schedule.at(float(ratio)) for ratio in ratios]))
    return squared_errors(sample(sampler, denoiser, sampler.start(noise)), solution)


def interval(ours: FloatArray, theirs: FloatArray) -> tuple[float, float]:
    """95 % interval of the ratio of two root mean squares, from the same resamples of the images."""
    chosen = np.random.default_rng(0).integers(0, len(ours), (RESAMPLES, len(ours)))
    ratios = np.sqrt(ours[chosen].mean(1) / theirs[chosen].mean(1))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def compare(
    basis: Path, network: Path, images: int, fine: int, sampler: str = "euler", counts: tuple[int, ...] = STEPS
) -> Iterator[list[str]]:
    """Yield the row of each number of steps."""
    denoiser, scheduler = load_denoiser(network)
    schedule, variances = schedule_of(scheduler), read_variances(basis)
    noise = initial_noise(range(images), denoiser.image_shape)
    start = karras_grid(schedule, 2)[0]
    solution = solve(denoiser, schedule, noise * float(np.hypot(*start)), start, fine)
    for steps in counts:
        usual = hand_made(schedule, steps)
        ours = optimal_ratios(variances, steps, schedule.level(1.0).ratio, least_ratio(schedule), sampler)
        lost = {name: loss(variances, ratios, sampler) for name, ratios in usual.items()}
        apart = {name: errors(sampler, denoiser, schedule, ratios, noise, solution) for name, ratios in usual.items()}
        mine = errors(sampler, denoiser, schedule, ours, noise, solution)
        least, nearest = min(lost, key=lost.__getitem__), min(apart, key=lambda name: float(apart[name].mean()))
        low, high = interval(mine, apart[nearest])
        gaussian = np.sqrt(loss(variances, ours, sampler) / lost[least])
        found = np.sqrt(mine.mean() / apart[nearest].mean())
        yield [str(steps), least, f"{gaussian:.3f}", nearest, f"{found:.3f}", f"{low:.3f} to {high:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("basis", type=Path, metavar="BASIS", help="*.safetensors, of `underpainting basis`")
    parser.add_argument("network", type=Path, metavar="NETWORK", help="folder of a diffusers pipeline")
    parser.add_argument("--sampler", choices=SAMPLERS, default="euler")
    parser.add_argument("--images", type=int, default=32, metavar="N")
    parser.add_argument("--fine", type=int, default=64, metavar="N", help="steps of Heun's method for the solution")
    options = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    with torch.inference_mode():
        for row in compare(options.basis, options.network, options.images, options.fine, options.sampler):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
