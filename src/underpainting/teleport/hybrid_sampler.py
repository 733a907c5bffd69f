r"""Teleportation: jump over the first steps without a network, then continue with any sampler (Sec. 6.1).

The state at a lower noise level is not integrated with the network but computed from the initial noise (`jumps`), with the
mean and covariance of the training data; the sampler continues from there. Two designs use the remaining calls:

    truncate   the grid is the sampler's own; its first steps are skipped and cost nothing (the paper's Tables 3-5)
    re-grid    all N steps are spread from the target of the jump to the image
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from underpainting.denoisers import Denoiser
from underpainting.noise.grid_names import COVARIANCE, TIME
from underpainting.noise.grids import make_grid
from underpainting.noise.levels import PURE_NOISE
from underpainting.noise.schedules import Schedule
from underpainting.samplers.relative import Bases, variances_of
from underpainting.samplers.schedulers import kind_of, spread
from underpainting.samplers.walk import Sampler, Step
from underpainting.teleport.jumps import Jump


def state_at_step(
    jump: Jump, sampler: Sampler, noise: Tensor, skipped_steps: int, coloured_by: Jump | None = None
) -> Tensor:
    """Compute the state at step `skipped_steps` of a sampler's grid.

    Args:
        jump: carries states of the training data's distribution.
        sampler: sampler with the grid.
        noise: standard normal, shape (sample, channel, height, width).
        skipped_steps: number of steps that the jump replaces, 0 <= skipped_steps < steps; 0 gives the sampler's own start.
        coloured_by: as for `Sampler.start`.

    Raises:
        ValueError: the sampler has too few steps.
    """
    if not 0 <= skipped_steps < sampler.steps:
        raise ValueError(
            f"cannot skip {skipped_steps} of {sampler.steps} steps: at least one step must be left to the sampler"
        )
    state = sampler.start(noise, coloured_by)
    return jump(state, sampler.grid[0], sampler.grid[skipped_steps]) if skipped_steps else state


def walk(
    jump: Jump,
    sampler: Sampler,
    denoiser: Denoiser,
    noise: Tensor,
    skipped_steps: int,
    seeds: Sequence[int] | None = None,
) -> Iterator[Step]:
    """Yield the steps of the hybrid sampler, from the jump's target to the image: the design "truncate".

    Args:
        jump, sampler, noise, skipped_steps: as for `state_at_step`.
        denoiser: computes the endpoint estimates.
        seeds: one per image; stochastic samplers draw their noise from them.
    """
    return sampler.walk(denoiser, state_at_step(jump, sampler, noise, skipped_steps), skipped_steps, seeds)


def start_after(skipped_percent: int) -> float:
    """Return the time of a network's schedule at which a percentage of it is skipped: 1, its noisiest level, for 0."""
    return 1 - skipped_percent / 100


def state_at_time(
    jump: Jump | None, schedule: Schedule, noise: Tensor, start: float, coloured_by: Jump | None = None
) -> Tensor:
    """Compute the state at the time `start` of a network's schedule, from its noisiest level: the design "re-grid".

    Args:
        jump: carries states of the training data's distribution; None for a start at the noisiest level itself.
        schedule: of the network.
        noise: standard normal, shape (sample, channel, height, width).
        start: in (0, 1], 1 for the noisiest level.
        coloured_by: as for `state_at_step`, to the noisiest level.

    Raises:
        ValueError: `jump` is None and `start` is not 1.
    """
    first = schedule.level(1.0)
    state = coloured_by(noise, PURE_NOISE, first) if coloured_by else noise * spread(first)
    if jump is None:
        if start != 1.0:
            raise ValueError(f"a start at {start} needs a jump; without one, start at 1")
        return state
    return jump(state, first, schedule.level(start))


def regridded(
    name: str,
    schedule: Schedule,
    steps: int,
    start: float,
    grid: str = TIME,
    basis: Bases | None = None,
    **options: Any,
) -> Sampler:
    """Create a sampler whose N steps lead from the time `start` to the image.

    From the network's noisiest level, the Gaussian's flow leads a relative sampler to its first call.

    Args:
        name: a key of `registry.SAMPLERS`.
        schedule: of the network.
        steps: number of steps N.
        start: in (0, 1].
        grid: a key of `grid_names.GRIDS`.
        basis: of the data, for the grid `covariance`; that, or of each image's class, for a relative sampler.
        options: settings of the diffusers scheduler; those that spread its steps do not count.

    Raises:
        ValueError: an unknown sampler or grid, or one that needs a basis without one.
    """
    variances = variances_of(basis) if basis else None
    carried = kind_of(name).relative and grid == COVARIANCE and start == 1.0
    levels = make_grid(grid, schedule, steps, start, variances, after_jump=carried)
    return Sampler.on(name, levels, basis, schedule.level(1.0) if carried else None, **options)
