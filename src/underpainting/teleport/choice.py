r"""Choice of sampler, grid and jump for a number of network calls, from the moments of the data and a few dozen calls.

Candidates are the relative sampler on the grid of the covariance, and strong other samplers on that grid and on the network's
time; each once from pure noise, and once after a jump by the Gaussian of the data that replaces the first step of the same grid
with one step more. All take as many steps as the calls pay for.

A candidate is judged by the distance of its images from a finer solution from the same noise: of the relative
sampler, or of iPNDM-3 on the network's time, with `FINER` times the calls. Of these two it is the one that the finer steps change
less: a basis that is not of the network's images spoils the first. Successive halving (Jamieson & Talwalkar 2016) saves calls:
all candidates make one image, the best of them the next, and so on in rounds that double the number of images, each with an
equal share of what is left of the budget. The best have the least geometric mean of squared errors: the errors of an image have
a factor in common, large for a few images, which would decide an arithmetic mean of eight.

What is not measured: the distribution of the images, since a few of them have no Frechet distance that means anything, and the
errors that a candidate shares with the finer solution, smaller by about `FINER`^2 than its own. The estimate of the choice is a
little too low, since it is the least of several. Longer jumps, over more than one step, are chosen by `planner`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser, Denoiser
from underpainting.noise.covariance_grid import covariance_grid
from underpainting.noise.grid_names import COVARIANCE, TIME
from underpainting.noise.levels import FloatArray
from underpainting.noise.schedules import Schedule, schedule_of
from underpainting.quality.reference_solution import squared_errors
from underpainting.samplers.registry import steps_within
from underpainting.samplers.relative import variances_of
from underpainting.samplers.schedulers import followed
from underpainting.samplers.walk import Sampler, sample
from underpainting.teleport import hybrid_sampler
from underpainting.teleport.jumps import GaussianJump

RELATIVE = "relative"
OTHERS = ("ipndm2", "ipndm3", "dpmsolverpp", "unipc", "ddim", "heun")
FINER = 3
BUDGET = 10


class Candidate(NamedTuple):
    """A sampler with its grid and jump.

    Attributes:
        sampler: a key of `registry.SAMPLERS`.
        grid: a key of `grid_names.GRIDS`.
        steps: number of steps.
        skipped_fraction: of the network's time, by a jump of the data's Gaussian; 0 for none.
    """

    sampler: str
    grid: str
    steps: int
    skipped_fraction: float = 0.0

    def arguments(self) -> dict[str, Any]:
        """Return arguments of a call of `TeleportPipeline` that makes the same images."""
        usual = {"sampler": self.sampler, "num_inference_steps": self.steps}
        if self.sampler == RELATIVE and not self.skipped_fraction:
            return usual
        return {**usual, "design": "regrid", "grid": self.grid, "skipped_fraction": self.skipped_fraction}


class Estimate(NamedTuple):
    """Squared errors of the images that a candidate has made, mean over pixels, shape (sample,)."""

    candidate: Candidate
    errors: FloatArray

    @property
    def rmse(self) -> float:
        """Root mean squared error; infinite where it is not a number."""
        return float(np.nan_to_num(np.sqrt(self.errors.mean()), nan=np.inf))

    @property
    def typical(self) -> float:
        """Root of the geometric mean of the squared errors, by which candidates are chosen; infinite as `rmse`."""
        logarithms = np.log(np.maximum(self.errors, np.finfo(float).tiny))  # keeps what is not a number
        return float(np.nan_to_num(np.exp(0.5 * logarithms.mean()), nan=np.inf))


class Choice(NamedTuple):
    """What was estimated, and at which cost.

    Attributes:
        estimates: the best candidate first; those that were given up early, with fewer images, last.
        reference: the finer solution.
        calls: number of network calls, whatever their number of images.
        evaluations: sum of the numbers of images of these calls.
    """

    estimates: list[Estimate]
    reference: Candidate
    calls: int
    evaluations: int

    @property
    def best(self) -> Candidate:
        return self.estimates[0].candidate


def candidates(schedule: Schedule, basis: Eigenbasis, calls: int) -> list[Candidate]:
    """List the candidates for a number of network calls, the relative sampler first.

    Args:
        schedule: of the network.
        basis: of the data.
        calls: network calls per image, 1 or more.

    Raises:
        ValueError: no call, or data without variance.
    """
    names = [name for name in OTHERS if name != "heun" or calls > 2]  # of fewer calls it is Euler's method
    pairs = [(RELATIVE, COVARIANCE), *((name, grid) for grid in (COVARIANCE, TIME) for name in names)]
    found = [Candidate(name, grid, steps_within(name, calls)) for name, grid in pairs]
    jumped = [one._replace(skipped_fraction=_first_step(schedule, basis, one)) for one in found]
    return found + [one for one in jumped if 0 < one.skipped_fraction < 1]


def _first_step(schedule: Schedule, basis: Eigenbasis, candidate: Candidate) -> float:
    """Compute the fraction of the network's time that the first step takes of a grid with one step more."""
    if candidate.grid == COVARIANCE:
        level = covariance_grid(schedule, candidate.steps, variances_of(basis), after_jump=True)[0]
    else:
        level = schedule.grid(candidate.steps + 1)[1]
    low, high = 0.0, 1.0
    for _ in range(50):
        time = (low + high) / 2
        low, high = (low, time) if schedule.level(time).ratio > level.ratio else (time, high)
    return round(1 - high, 3)


def make_images(candidate: Candidate, denoiser: Denoiser, scheduler: Any, basis: Eigenbasis, noise: Tensor) -> Tensor:
    """Make the images of a candidate from noise.

    Args:
        candidate: how.
        denoiser: the network.
        scheduler: diffusers scheduler of the network.
        basis: of the data.
        noise: standard normal, shape (sample, channel, height, width).
    """
    name, grid, steps, skipped = candidate
    if name == RELATIVE and not skipped:
        own = Sampler(name, steps, scheduler, basis)
        return sample(own, denoiser, own.start(noise))
    schedule, options = schedule_of(scheduler), followed(name, scheduler)
    sampler = hybrid_sampler.regridded(name, schedule, steps, 1 - skipped, grid, basis, **options)
    jump = GaussianJump(basis) if skipped else None
    return sample(sampler, denoiser, hybrid_sampler.state_at_time(jump, schedule, noise, 1 - skipped))


def choose(
    denoiser: Denoiser, scheduler: Any, basis: Eigenbasis, noise: Tensor, calls: int, budget: int | None = None
) -> Choice:
    """Choose sampler, grid and jump for a number of network calls.

    Args:
        denoiser: the network.
        scheduler: diffusers scheduler of the network.
        basis: of the data.
        noise: standard normal, shape (sample, channel, height, width), of the images to judge by.
        calls: network calls per image that the choice may cost, 1 or more.
        budget: network calls per image of `noise` that choosing may cost, on average; by default `BUDGET` times `calls`, or as
            many as are needed.

    Raises:
        ValueError: no call, images of another shape than those of the basis, or too small a budget.
    """
    if calls < 1:
        raise ValueError(f"{calls} network calls make no image; give 1 or more")
    if tuple(noise.shape[1:]) != tuple(basis.image_shape):
        shapes = (" x ".join(map(str, shape)) for shape in (basis.image_shape, noise.shape[1:]))
        raise ValueError(
            "the basis is one of {} images, the network makes {}; give a basis of its images".format(*shapes)
        )
    found = candidates(schedule_of(scheduler), basis, calls)
    allowed = _evaluations(calls, len(found), len(noise), budget)
    counting = CountingDenoiser(denoiser)
    make = partial(make_images, denoiser=counting, scheduler=scheduler, basis=basis)
    reference = _reference(make, noise[:1], calls)
    solution = make(reference, noise=noise)
    estimates, left_out = [Estimate(one, np.empty(0)) for one in found], list[Estimate]()
    for begin, end, kept in _rounds(len(found), len(noise), (allowed - counting.evaluations) // calls):
        left_out, estimates = [*estimates[kept:], *left_out], estimates[:kept]
        for place, (one, errors) in enumerate(estimates):
            images = make(one, noise=noise[begin:end])
            estimates[place] = Estimate(one, np.append(errors, squared_errors(images, solution[begin:end])))
        estimates.sort(key=lambda estimate: estimate.typical)
    return Choice([*estimates, *left_out], reference, counting.calls, counting.evaluations)


def _evaluations(calls: int, candidates: int, images: int, budget: int | None) -> int:
    """Return how many images the network may be called with in all, and refuse a budget that does not suffice."""
    least = calls * ((FINER + 1) * (images + 2) + candidates - 1)
    allowed = max(BUDGET * calls * images, least) if budget is None else budget * images
    if allowed < least:
        raise ValueError(f"{candidates} candidates need a budget of {-(-least // images)} calls per image or more")
    return allowed


def _reference(make: Callable[..., Tensor], noise: Tensor, calls: int) -> Candidate:
    """Return the one of two samplers, with more calls, whose images these change less."""
    found = {}
    for name, grid in ((RELATIVE, COVARIANCE), ("ipndm3", TIME)):
        coarse, fine = (Candidate(name, grid, calls * factor) for factor in (1, FINER))
        found[fine] = float(squared_errors(make(coarse, noise=noise), make(fine, noise=noise)).mean())
    return min(found, key=lambda fine: float(np.nan_to_num(found[fine], nan=np.inf)))


def _rounds(candidates: int, images: int, budget: int) -> Iterator[tuple[int, int, int]]:
    """Yield the first and the last image (excluded) of each round, and how many candidates make them.

    Args:
        candidates: number of candidates, which all make the first image.
        images: number of images.
        budget: images that may be made in all, at least those of one candidate and one of each other.
    """
    ends = [images]
    while ends[0] > 1:
        ends.insert(0, (ends[0] + 1) // 2)
    kept = candidates
    for index, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
        share = budget // (len(ends) - index) if index else budget
        spare = budget - (images - end)  # one candidate at least makes all images
        kept = max(1, min(kept, min(share, spare) // (end - begin)))
        budget -= kept * (end - begin)
        yield begin, end, kept
