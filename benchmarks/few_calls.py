"""Few network calls: the relative sampler against the best of all others, `python -m benchmarks.few_calls BASIS NETWORK`.

The measure is the root mean squared distance, over images and pixels, from the network's own solution of the same noise. For each
number of calls every other sampler takes as many steps as they pay for, on every grid. The best of them on the first images are
run on all images, and the best there is the peer. The relative sampler has one rule for all: its own grid and settings. The
interval is that of the ratio, from the same resamples of the images.

With `--study RESULTS`, the folder of a built study of the same images, a second table has the Frechet distance at infinitely many
images, in both sets of features: that of the finalist with the least one, that of the relative sampler, and the interval of
their difference, from the same resamples of the seeds. `floor` is the distance of infinitely many real images. The last line has
the distances of the network's own solutions: a sampler cannot come below them but by errors that happen to look better.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from underpainting.quality import fidelity
from underpainting.quality.distances import MeasuredDistances, Reference, load_references, measure_distances
from underpainting.quality.extractors import FEATURES, Extractor, Extractors
from underpainting.quality.frechet import RESAMPLES, BootstrapDistance
from underpainting.quality.reference_solution import solve, squared_errors
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.registry import SAMPLERS, steps_within
from underpainting.samplers.relative import variances_of
from underpainting.samplers.walk import Sampler, sample

CALLS = (4, 5, 6, 8, 10)
FINALISTS = 3
BATCH = 64
PEERS = [
    name for name, kind in SAMPLERS.items() if not kind.stochastic and not kind.relative and kind.levels != "karras"
]
HEADINGS = ("calls", "best peer", "grid", "RMSE", "relative", "ratio", "95 %", "best peer on our grid", "ratio")
FD_HEADINGS = ("calls", "features", "best peer", "grid", "FD", "relative", "difference", "95 %", "floor")
Pair = tuple[str, str]


class Judge(NamedTuple):
    """Feature extractors and real images of a study, and the number of generated images that are judged by them."""

    extractors: Mapping[str, Extractor]
    references: Mapping[str, Reference]
    images: int

    @classmethod
    def of_study(cls, results: Path, images: int) -> Judge:
        """Load those of a built study, whose extractor is a classifier."""
        files = (str(results / f"{name}.safetensors") for name in ("classifier", "autoencoder"))
        extractors = dict(zip(FEATURES, Extractors("classifier", *files).load().values(), strict=True))
        return cls(extractors, load_references(results / "reference_features.zarr.zip"), images)

    def distances(self, images: Tensor) -> MeasuredDistances:
        """Measure the Frechet distances of the first images, by prefix of the set of features."""
        shown = fidelity.to_bytes(images[: self.images])
        features = {prefix: fidelity.extract_features(each, shown) for prefix, each in self.extractors.items()}
        return measure_distances(features, self.references, RESAMPLES)


class Measured(NamedTuple):
    """Squared distance of each image from the network's solution, mean over pixels; Frechet distances with a study."""

    errors: FloatArray
    distances: MeasuredDistances | None


class Task(NamedTuple):
    """A network, noise, and the solutions of the network's flow from the first of it."""

    denoiser: Denoiser
    schedule: Schedule
    scheduler: object
    basis: Eigenbasis
    noise: Tensor
    solution: Tensor
    judge: Judge | None = None

    def first(self, images: int) -> Task:
        """The same with the first images alone, by their errors."""
        return self._replace(noise=self.noise[:images], solution=self.solution[:images], judge=None)


def grids_of(task: Task, steps: int) -> dict[str, NoiseGrid]:
    """Every grid of so many steps, by name."""
    return {name: make_grid(name, task.schedule, steps, variances=variances_of(task.basis)) for name in GRIDS}


def measure(task: Task, make: Callable[[Tensor], Tensor]) -> Measured:
    """Make images from the noise, in batches, and measure them."""
    images = torch.cat([make(batch) for batch in task.noise.split(BATCH)])
    apart = squared_errors(images[: len(task.solution)], task.solution)
    return Measured(apart, task.judge.distances(images) if task.judge else None)


def measure_sampler(task: Task, sampler: Sampler) -> Measured:
    """Measure the images of a sampler."""
    return measure(task, lambda batch: sample(sampler, task.denoiser, sampler.start(batch)))


def measure_peer(task: Task, calls: int, pair: Pair) -> Measured:
    """Measure a peer with as many steps as the calls pay for."""
    name, grid = pair
    return measure_sampler(task, Sampler.on(name, grids_of(task, steps_within(name, calls))[grid]))


def finalists(task: Task, calls: int) -> list[Pair]:
    """Best peers with their hand-made grids, and the best peer on the covariance grid."""
    pairs = [(name, grid) for name in PEERS for grid in GRIDS]
    found = {pair: float(measure_peer(task, calls, pair).errors.mean()) for pair in pairs}
    order = sorted(found, key=lambda pair: float(np.nan_to_num(found[pair], nan=np.inf)))
    hand_made = [pair for pair in order if pair[1] != COVARIANCE]
    return [*hand_made[:FINALISTS], next(pair for pair in order if pair[1] == COVARIANCE)]


def compare(task: Task, screened: int) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the row of errors and, with a study, the rows of Frechet distances, for each number of calls."""
    for calls in CALLS:
        ours = measure_sampler(task, Sampler("relative", calls, task.scheduler, task.basis))
        found = {pair: measure_peer(task, calls, pair) for pair in finalists(task.first(screened), calls)}
        rows = [[str(calls), *row] for row in distance_rows(ours, found.items())]
        yield [str(calls), *error_row(ours.errors, {pair: one.errors for pair, one in found.items()})], rows


def error_row(ours: FloatArray, found: Mapping[Pair, FloatArray]) -> list[str]:
    """Compare the errors with those of the best peer on a hand-made grid, and of the last, on the covariance grid."""
    *hand_made, on_covariance = found
    best = min(hand_made, key=lambda pair: float(found[pair].mean()))
    low, high = interval(ours, found[best])
    return [
        *best,
        f"{np.sqrt(found[best].mean()):.4f}",
        f"{np.sqrt(ours.mean()):.4f}",
        f"{np.sqrt(ours.mean() / found[best].mean()):.3f}",
        f"{low:.3f} to {high:.3f}",
        on_covariance[0],
        f"{np.sqrt(ours.mean() / found[on_covariance].mean()):.3f}",
    ]


def distance_rows(ours: Measured, found: Iterable[tuple[tuple[str, ...], Measured]]) -> Iterator[list[str]]:
    """Compare the Frechet distances with those of the best of others, by their names (here finalists, on any grid)."""
    theirs = {pair: one.distances.distances for pair, one in found if one.distances}
    for prefix, mine in ours.distances.distances.items() if ours.distances else ():
        best = min(theirs, key=lambda pair: theirs[pair][prefix].infinite)
        low, high = difference_interval(mine, theirs[best][prefix])
        floor = ours.distances.floors[prefix].infinite if ours.distances else np.nan
        yield [
            prefix.rstrip("_") or "classifier",
            *best,
            f"{theirs[best][prefix].infinite:.4f}",
            f"{mine.infinite:.4f}",
            f"{mine.infinite - theirs[best][prefix].infinite:+.4f}",
            f"{low:+.4f} to {high:+.4f}",
            f"{floor:.4f}",
        ]


def difference_interval(ours: BootstrapDistance, theirs: BootstrapDistance) -> tuple[float, float]:
    """95 % interval of the difference of two distances at infinitely many images, from the same resamples of the seeds."""
    differences = ours.infinite - theirs.infinite + ours.errors - theirs.errors
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def make_task(basis: Path, network: Path, images: int, fine: int, judge: Judge | None = None) -> Task:
    """Solve the flow of a network finely, in batches; `images` is the number of solutions."""
    denoiser, scheduler = load_denoiser(network)
    schedule = schedule_of(scheduler)
    noise = initial_noise(range(max(images, judge.images if judge else 0)), denoiser.image_shape)
    start = karras_grid(schedule, 2)[0]
    states = (noise[:images] * float(np.hypot(*start))).split(BATCH)
    solution = torch.cat([solve(denoiser, schedule, batch, start, fine) for batch in states])
    return Task(denoiser, schedule, scheduler, load_basis(basis).all_images, noise, solution, judge)


def own_distances(task: Task) -> str:
    """Say the Frechet distances of the network's own solutions."""
    assert task.judge
    found = task.judge.distances(task.solution).distances
    named = [f"{prefix.rstrip('_') or 'classifier'} {distance.infinite:.4f}" for prefix, distance in found.items()]
    return f"FD of the network's own solutions, {min(len(task.solution), task.judge.images)} images: {', '.join(named)}"


def print_row(cells: Iterable[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def print_headings(headings: Sequence[str]) -> None:
    print_row(headings)
    print_row(["---"] * len(headings))


def print_tables(
    headings: Sequence[str], rows: Iterable[tuple[list[str], list[list[str]]]], more: Sequence[str]
) -> None:
    """Print the rows of one table as they come, then those of a second one if there are any."""
    kept: list[list[str]] = []
    print_headings(headings)
    for row, others in rows:
        print_row(row)
        kept += others
    if kept:
        print()
        print_headings(more)
    for row in kept:
        print_row(row)


def options_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add the options of a task to a parser, and read them."""
    parser.add_argument("basis", type=Path, metavar="BASIS", help="*.safetensors, of `underpainting basis`")
    parser.add_argument("network", type=Path, metavar="NETWORK", help="folder of a diffusers pipeline")
    parser.add_argument("--images", type=int, default=256, metavar="N")
    parser.add_argument("--fine", type=int, default=64, metavar="N", help="steps of Heun's method for the solution")
    parser.add_argument("--study", type=Path, metavar="RESULTS", help="folder of a built study, for Frechet distances")
    parser.add_argument("--fd-images", type=int, default=256, metavar="N", help="images for Frechet distances")
    return parser.parse_args()


def task_of(options: argparse.Namespace) -> Task:
    """Make the task of the options."""
    judge = Judge.of_study(options.study, options.fd_images) if options.study else None
    return make_task(options.basis, options.network, options.images, options.fine, judge)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    text = "images from which the best peers are chosen"
    parser.add_argument("--screen", type=int, default=32, metavar="N", help=text)
    options = options_of(parser)
    with torch.inference_mode():
        task = task_of(options)
        print_tables(HEADINGS, compare(task, options.screen), FD_HEADINGS)
        if task.judge:
            print(f"\n{own_distances(task)}")


if __name__ == "__main__":
    main()
