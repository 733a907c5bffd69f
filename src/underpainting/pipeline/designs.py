"""The two designs of a jump: the step at which the sampler begins, and its state there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from torch import Tensor

from underpainting.noise.schedules import Schedule, schedule_of
from underpainting.pipeline.schedulers import sampler_name, scheduler_options
from underpainting.samplers.schedulers import followed
from underpainting.samplers.walk import Sampler
from underpainting.teleport import hybrid_sampler
from underpainting.teleport.jumps import Jump

DesignName = Literal["truncate", "regrid"]


class Design(Protocol):
    """A sampler, and the step and state with which it begins."""

    @property
    def sampler(self) -> Sampler: ...

    @property
    def skip(self) -> int | float:
        """Number of skipped steps, or skipped fraction of the network's time."""
        ...

    @property
    def begin(self) -> int:
        """First step of the sampler."""
        ...

    def state(self, jump: Jump, noise: Tensor) -> Tensor:
        """Compute the state at step `begin` from standard normal noise, shape (sample, channel, height, width)."""
        ...


@dataclass(frozen=True)
class Truncated:
    """The sampler's grid without its first `skip` steps."""

    sampler: Sampler
    skip: int

    @property
    def begin(self) -> int:
        return self.skip

    def state(self, jump: Jump, noise: Tensor) -> Tensor:
        return hybrid_sampler.state_at_step(jump, self.sampler, noise, self.skip)


@dataclass(frozen=True)
class Regridded:
    """A grid with all of its steps after the jump."""

    sampler: Sampler
    schedule: Schedule
    skip: float
    begin: int = 0

    def state(self, jump: Jump, noise: Tensor) -> Tensor:
        return hybrid_sampler.state_at_time(jump if self.skip else None, self.schedule, noise, 1 - self.skip)


def make_design(
    design: DesignName,
    scheduler: Any,
    steps: int,
    skip: int | float,
    sampler: str | None = None,
    clip: bool | None = None,
) -> Design:
    """Make the design that a call of the pipeline requests.

    Args:
        design: `truncate` or `regrid`.
        scheduler: of diffusers, with the network's noise schedule.
        steps: number of steps of the sampler.
        skip: a number of steps or a fraction of them for `truncate`, a fraction of the network's time for `regrid`.
        sampler: a key of `registry.SAMPLERS`, with the default settings of its class; if not given, the sampler of the
            scheduler, with the scheduler's settings.
        clip: whether endpoint estimates are clipped to the image range; if not given, as the scheduler is set, and not
            if `sampler` is given.

    Raises:
        ValueError: design or sampler are unknown, the sampler cannot clip as requested, or the number of steps or the
            skip are not possible.
    """
    if design not in get_args(DesignName):
        raise ValueError(f"design {design!r} is unknown; use {' or '.join(get_args(DesignName))}")
    settings = ({} if sampler else scheduler_options(scheduler)) | ({} if clip is None else {"clip_sample": clip})
    name = sampler or sampler_name(scheduler)
    if design == "truncate":
        return Truncated(Sampler(name, steps, scheduler, **settings), skipped_steps(skip, steps))
    schedule, share = schedule_of(scheduler), skipped_time(skip)
    settings = followed(name, scheduler) | settings
    return Regridded(hybrid_sampler.regridded(name, schedule, steps, 1 - share, **settings), schedule, share)


def skipped_steps(skip: int | float, steps: int) -> int:
    """Return the number of steps to skip; a float is a fraction of all steps, rounded down.

    Raises:
        ValueError: no step remains, or the number is negative.
    """
    count = int(skip * steps + 1e-9) if isinstance(skip, float) and 0 <= skip < 1 else skip
    if isinstance(count, float) or not 0 <= count < steps:
        raise ValueError(
            f"cannot skip {skip} of {steps} steps; give a number of steps from 0 to {steps - 1}, or a fraction below 1"
        )
    return count


def skipped_time(skip: int | float) -> float:
    """Return the fraction of the network's time to skip.

    Raises:
        ValueError: it is not in [0, 1).
    """
    if not 0 <= skip < 1:
        raise ValueError(
            f"cannot skip {skip} of the network's time; the design regrid takes a fraction from 0 to less than 1"
        )
    return float(skip)
