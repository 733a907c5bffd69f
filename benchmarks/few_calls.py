"""Few network calls: the relative sampler against the best of all others, `python -m benchmarks.few_calls BASIS NETWORK`.

The measure is the root mean squared distance, over images and pixels, from the network's own solution of the same noise. For each
number of calls every other sampler takes as many steps as they pay for, on every grid. The best of them on the first images are
run on all images, and the best there is the peer. The relative sampler has one rule for all: its own grid and settings. The
interval is that of the ratio, from the same resamples of the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.optimal_grid import interval
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import load_basis
from underpainting.denoisers import Denoiser, load_denoiser
from underpainting.noise.grid_names import COVARIANCE, GRIDS
from underpainting.noise.grids import make_grid
from underpainting.noise.levels import FloatArray, NoiseGrid
from underpainting.noise.schedules import Schedule, karras_grid, schedule_of
from underpainting.quality.reference_solution import solve, squared_errors
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.registry import SAMPLERS, steps_within
from underpainting.samplers.relative import variances_of
from underpainting.samplers.walk import Sampler, sample

CALLS = (4, 5, 6, 8, 10)
FINALISTS = 3
PEERS = [
    name for name, kind in SAMPLERS.items() if not kind.stochastic and not kind.relative and kind.levels != "karras"
]
HEADINGS = ("calls", "best peer", "grid", "RMSE", "relative", "ratio", "95 %", "best peer on our grid", "ratio")


class Task(NamedTuple):
    """A network, and the solutions of its flow from some noise."""

    denoiser: Denoiser
    schedule: Schedule
    scheduler: object
    basis: Eigenbasis
    noise: Tensor
    solution: Tensor

    def first(self, images: int) -> Task:
        """The same with the first images alone."""
        return self._replace(noise=self.noise[:images], solution=self.solution[:images])


def grids_of(task: Task, steps: int) -> dict[str, NoiseGrid]:
    """Every grid of so many steps, by name."""
    return {name: make_grid(name, task.schedule, steps, variances=variances_of(task.basis)) for name in GRIDS}


def errors(task: Task, sampler: Sampler) -> FloatArray:
    """Squared distance of each image from the network's solution, mean over pixels, shape (sample,)."""
    return squared_errors(sample(sampler, task.denoiser, sampler.start(task.noise)), task.solution)


def finalists(task: Task, calls: int) -> list[tuple[str, str]]:
    """Best peers with their hand-made grids, and the best peer on the covariance grid."""
    found = {
        (name, grid): float(errors(task, Sampler.on(name, levels)).mean())
        for name in PEERS
        for grid, levels in grids_of(task, steps_within(name, calls)).items()
    }
    order = sorted(found, key=lambda pair: float(np.nan_to_num(found[pair], nan=np.inf)))
    hand_made = [pair for pair in order if pair[1] != COVARIANCE]
    return [*hand_made[:FINALISTS], next(pair for pair in order if pair[1] == COVARIANCE)]


def run_all(task: Task, calls: int, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], FloatArray]:
    """Errors of the finalists on all images."""
    return {
        (name, grid): errors(task, Sampler.on(name, grids_of(task, steps_within(name, calls))[grid]))
        for name, grid in pairs
    }


def compare(task: Task, screened: int) -> Iterator[list[str]]:
    """Yield the row of each number of calls."""
    for calls in CALLS:
        ours = errors(task, Sampler("relative", calls, task.scheduler, task.basis))
        found = run_all(task, calls, finalists(task.first(screened), calls))
        *hand_made, on_covariance = found
        best = min(hand_made, key=lambda pair: float(found[pair].mean()))
        low, high = interval(ours, found[best])
        yield [
            str(calls),
            *best,
            f"{np.sqrt(found[best].mean()):.4f}",
            f"{np.sqrt(ours.mean()):.4f}",
            f"{np.sqrt(ours.mean() / found[best].mean()):.3f}",
            f"{low:.3f} to {high:.3f}",
            on_covariance[0],
            f"{np.sqrt(ours.mean() / found[on_covariance].mean()):.3f}",
        ]


def make_task(basis: Path, network: Path, images: int, fine: int) -> Task:
    """Solve the flow of a network finely."""
    denoiser, scheduler = load_denoiser(network)
    schedule, noise = schedule_of(scheduler), initial_noise(range(images), denoiser.image_shape)
    start = karras_grid(schedule, 2)[0]
    solution = solve(denoiser, schedule, noise * float(np.hypot(*start)), start, fine)
    return Task(denoiser, schedule, scheduler, load_basis(basis).all_images, noise, solution)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("basis", type=Path, metavar="BASIS", help="*.safetensors, of `underpainting basis`")
    parser.add_argument("network", type=Path, metavar="NETWORK", help="folder of a diffusers pipeline")
    parser.add_argument("--images", type=int, default=256, metavar="N")
    parser.add_argument(
        "--screen", type=int, default=32, metavar="N", help="images from which the best peers are chosen"
    )
    parser.add_argument("--fine", type=int, default=64, metavar="N", help="steps of Heun's method for the solution")
    options = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    with torch.inference_mode():
        task = make_task(options.basis, options.network, options.images, options.fine)
        for row in compare(task, options.screen):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
