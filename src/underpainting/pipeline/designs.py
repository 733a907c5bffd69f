"""The two designs of a jump: the step at which the sampler begins, and its state there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from torch import Tensor

from underpainting.noise.grid_names import COVARIANCE, TIME
from underpainting.noise.schedules import Schedule, schedule_of
from underpainting.pipeline.schedulers import sampler_name, scheduler_options, with_noise_schedule
from underpainting.samplers.relative import Bases
from underpainting.samplers.schedulers import followed, kind_of
from underpainting.samplers.walk import Sampler
from underpainting.teleport import hybrid_sampler
from underpainting.teleport.jumps import Jump

DesignName = Literal["truncate", "regrid"]
SKIPPED_FRACTION = 0.4
"""Skipped fraction of a call that gives none, except with the relative sampler: its own first step is a jump."""


class Design(Protocol):
    """A sampler, and the step and state with which it begins."""

    @property
    def sampler(self) -> Sampler: ...

    @property
    def skipped_steps(self) -> int:
        """Number of the sampler's steps that the jump replaces: the step at which the sampler begins."""
        ...

    @property
    def skipped_fraction(self) -> float:
        """Skipped fraction of the sampler's steps (`truncate`) or of the network's time (`regrid`)."""
        ...

    def state(self, jump: Jump, noise: Tensor, coloured_by: Jump | None) -> Tensor:
        """Compute the state at which the sampler begins; arguments as for `hybrid_sampler.state_at_step`."""
        ...


@dataclass(frozen=True)
class Truncated:
    """The sampler's grid without its first steps."""

    sampler: Sampler
    skipped_steps: int

    @property
    def skipped_fraction(self) -> float:
        return self.skipped_steps / self.sampler.steps

    def state(self, jump: Jump, noise: Tensor, coloured_by: Jump | None) -> Tensor:
        return hybrid_sampler.state_at_step(jump, self.sampler, noise, self.skipped_steps, coloured_by)


@dataclass(frozen=True)
class Regridded:
    """A grid with all of its steps after the jump."""

    sampler: Sampler
    schedule: Schedule
    skipped_fraction: float
    skipped_steps: int = 0

    def state(self, jump: Jump, noise: Tensor, coloured_by: Jump | None) -> Tensor:
        start = 1 - self.skipped_fraction
        needed = jump if self.skipped_fraction else None
        return hybrid_sampler.state_at_time(needed, self.schedule, noise, start, coloured_by)


def make_design(
    design: DesignName,
    scheduler: Any,
    steps: int,
    skipped_fraction: float | None = None,
    skipped_steps: int | None = None,
    sampler: str | None = None,
    clip: bool | None = None,
    basis: Bases | None = None,
    grid: str | None = None,
) -> Design:
    """Make the design that a call of the pipeline requests.

    Args:
        design: `truncate` or `regrid`.
        scheduler: of diffusers, with the network's noise schedule.
        steps: number of steps of the sampler.
        skipped_fraction: of the steps for `truncate`, of the network's time for `regrid`; by default 0.4, 0 with the relative
            sampler.
        skipped_steps: number of steps, instead of a fraction, for `truncate`.
        sampler: a key of `registry.SAMPLERS`, with the default settings of its class; if not given, the sampler of the
            scheduler, with the scheduler's settings.
        clip: whether endpoint estimates are clipped to the image range; if not given, as the scheduler is set, and not
            if `sampler` is given.
        basis: of the data, for the relative sampler and the grid `covariance`.
        grid: a key of `grid_names.GRIDS`, for `regrid`; by default the network's time, `covariance` for the relative sampler.

    Raises:
        ValueError: design, sampler or grid are unknown, the sampler cannot clip as requested, or the number of steps or what
            is skipped are not possible.
    """
    if design not in get_args(DesignName):
        raise ValueError(f"design {design!r} is unknown; use {' or '.join(get_args(DesignName))}")
    settings = ({} if sampler else scheduler_options(scheduler)) | ({} if clip is None else {"clip_sample": clip})
    name, network = sampler or sampler_name(scheduler), with_noise_schedule(scheduler)
    relative = kind_of(name).relative
    fraction = _checked_fraction(design, skipped_fraction, skipped_steps, 0.0 if relative else SKIPPED_FRACTION)
    if design == "truncate" and grid is not None:
        raise ValueError("the design truncate keeps the sampler's own grid; give grid with design='regrid'")
    grid = grid or (COVARIANCE if relative else TIME)
    if design == "truncate" or (relative and not fraction and grid == COVARIANCE):
        skipped = steps_of(fraction, steps) if skipped_steps is None else _checked_steps(skipped_steps, steps)
        return Truncated(Sampler(name, steps, network, basis if relative else None, **settings), skipped)
    schedule, settings = schedule_of(network), followed(name, network) | settings
    needed = basis if relative or grid == COVARIANCE else None
    walk = hybrid_sampler.regridded(name, schedule, steps, 1 - fraction, grid, needed, **settings)
    return Regridded(walk, schedule, fraction)


def _checked_fraction(design: DesignName, fraction: float | None, steps: int | None, default: float) -> float:
    """Return the fraction to skip, `default` if none is given; refuse one not in [0, 1) or beside a number of steps."""
    if steps is not None and design == "regrid":
        raise ValueError(
            "the design regrid takes skipped_fraction, a fraction of the network's time, not skipped_steps"
        )
    if steps is not None and fraction is not None:
        raise ValueError("skipped_steps and skipped_fraction are both given; give one of them")
    fraction = default if fraction is None else float(fraction)
    steps_of(fraction, 1)
    return fraction


def steps_of(fraction: float, steps: int) -> int:
    """Return the number of steps that a fraction of them is, rounded down.

    Raises:
        ValueError: the fraction is not in [0, 1).
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"skipped_fraction is {fraction:g}; give a number from 0 to less than 1")
    return int(fraction * steps + 1e-9)


def _checked_steps(skipped: int, steps: int) -> int:
    """Return a number of steps to skip; refuse it where no step remains."""
    if int(skipped) != skipped or not 0 <= skipped < steps:
        raise ValueError(f"cannot skip {skipped} of {steps} steps; give a number of steps from 0 to {steps - 1}")
    return int(skipped)
