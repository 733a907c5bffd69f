"""The two designs of a jump, as one call of the pipeline sees them: where the sampler begins, and with which state."""

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
    """A sampler that begins somewhere on its grid."""

    @property
    def sampler(self) -> Sampler: ...

    @property
    def skip(self) -> int | float:
        """What is skipped: a number of steps, or a fraction of the network's time."""
        ...

    @property
    def begin(self) -> int:
        """The sampler's first step."""
        ...

    def state(self, jump: Jump, noise: Tensor) -> Tensor:
        """The state at that step that belongs to standard normal noise, shape (sample, channel, height, width)."""
        ...


@dataclass(frozen=True)
class Truncated:
    """The sampler's own grid without its first `skip` steps."""

    sampler: Sampler
    skip: int

    @property
    def begin(self) -> int:
        return self.skip

    def state(self, jump: Jump, noise: Tensor) -> Tensor:
        return hybrid_sampler.state_at_step(jump, self.sampler, noise, self.skip)


@dataclass(frozen=True)
class Regridded:
    """All steps spread over what the jump leaves of the network's time."""

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
    """The design that a call of the pipeline asks for.

    Args:
        design: `truncate` or `regrid`.
        scheduler: of diffusers; it tells the network's noise schedule.
        steps: number of steps of the sampler.
        skip: a number of steps or a fraction of them for `truncate`, a fraction of the network's time for `regrid`.
        sampler: a key of `registry.SAMPLERS`, with the settings of its class; else the one that the scheduler stands for, with
            its settings.
        clip: whether endpoint estimates are clipped to the image range; if not given, as the scheduler says, and not by a sampler
            that the call names.

    Raises:
        ValueError: an unknown design or sampler, one that cannot clip and shall, or a number of steps or a skip that cannot be.
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
    """Number of steps to skip; a float is a fraction of all steps, rounded down.

    Raises:
        ValueError: it leaves no step, or is negative.
    """
    count = int(skip * steps + 1e-9) if isinstance(skip, float) and 0 <= skip < 1 else skip
    if isinstance(count, float) or not 0 <= count < steps:
        raise ValueError(
            f"cannot skip {skip} of {steps} steps; give a number of steps from 0 to {steps - 1}, or a fraction below 1"
        )
    return count


def skipped_time(skip: int | float) -> float:
    """Fraction of the network's time to skip.

    Raises:
        ValueError: it is none.
    """
    if not 0 <= skip < 1:
        raise ValueError(
            f"cannot skip {skip} of the network's time; the design regrid takes a fraction from 0 to less than 1"
        )
    return float(skip)
