"""Choices for few network calls against the best of all candidates, `python -m benchmarks.choice BASIS NETWORK`.

For each number of calls `underpainting.teleport.choice` chooses sampler, grid and jump by a few images. Then all candidates
make other images, which are compared with the network's own solution of the same noise. `ratio` is the RMSE of the choice over
that of the best candidate, 1 for no regret, with its interval from the same resamples of the images; `spent` are the network
calls per image that choosing cost. With `--study RESULTS` a second table compares the Frechet distance of the choice with the
least one of all candidates, as `benchmarks.few_calls` does. The least of many estimates is too low, so a difference is too large.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks import few_calls
from benchmarks.few_calls import CALLS, Task
from benchmarks.optimal_grid import interval
from underpainting.samplers.randomness import initial_noise
from underpainting.teleport.choice import Candidate, candidates, choose, make_images

FIRST = 2**20  # of the seeds to choose by; those to judge by begin with 0
HEADINGS = ("calls", "spent", "choice", "grid", "jump", "RMSE", "best", "grid", "jump", "RMSE", "ratio", "95 %")
FD_HEADINGS = ("calls", "features", "best", "grid", "jump", "FD", "choice", "difference", "95 %", "floor")
Name = tuple[str, str, str]


def name_of(candidate: Candidate) -> Name:
    """Sampler, grid and jump of a candidate as cells of a table."""
    return candidate.sampler, candidate.grid, f"{candidate.skipped_fraction:.1%}"


def measure(task: Task, candidate: Candidate) -> few_calls.Measured:
    """Measure the images of a candidate."""
    return few_calls.measure(
        task, lambda batch: make_images(candidate, task.denoiser, task.scheduler, task.basis, batch)
    )


def compare(task: Task, images: int) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the row of errors and, with a study, the rows of Frechet distances, for each number of calls.

    Args:
        task: network, and noise with its solutions.
        images: number of images to choose by.
    """
    noise = initial_noise(range(FIRST, FIRST + images), task.noise.shape[1:])
    for calls in CALLS:
        choice = choose(task.denoiser, task.scheduler, task.basis, noise, calls)
        found = {name_of(one): measure(task, one) for one in candidates(task.schedule, task.basis, calls)}
        chosen = name_of(choice.best)
        best = min(found, key=lambda name: float(np.nan_to_num(found[name].errors.mean(), nan=np.inf)))
        ours, least = found[chosen].errors, found[best].errors
        low, high = interval(ours, least)
        row = [str(calls), f"{choice.evaluations / images:.0f}", *chosen, f"{np.sqrt(ours.mean()):.4f}"]
        row += [*best, f"{np.sqrt(least.mean()):.4f}", f"{np.sqrt(ours.mean() / least.mean()):.3f}"]
        rows = few_calls.distance_rows(found[chosen], found.items())
        yield [*row, f"{low:.3f} to {high:.3f}"], [[str(calls), *cells] for cells in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--choose-by", type=int, default=8, metavar="N", help="images to choose by")
    options = few_calls.options_of(parser)
    with torch.inference_mode():
        few_calls.print_tables(HEADINGS, compare(few_calls.task_of(options), options.choose_by), FD_HEADINGS)


if __name__ == "__main__":
    main()
