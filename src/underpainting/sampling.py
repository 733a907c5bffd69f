r"""Samplers as generators: every step's state and endpoint estimate, in x_t = alpha x_0 + sigma noise coordinates.

The arithmetic of each sampler is diffusers' own; a `Sampler` gives its scheduler the endpoint estimate of any
denoiser (prediction type "sample") and translates between its coordinates and ours. Two kinds of coordinates occur:

    state x_t itself            DDIM (Song et al. 2021), DPM-Solver++ (Lu et al. 2022)
    scaled state x_t / alpha_t  Euler and Heun (Karras et al. 2022), who work with sigma / alpha

A sampler of N steps visits N + 1 levels: step 0 is noise, step N the image. It can begin at any step (Sec. 6.1);
multistep samplers then start with their first-order step, as from noise.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from underpainting.denoisers import Denoiser
from underpainting.noise import NoiseGrid, NoiseLevel, vp_level

SCHEDULE_KEYS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")


class SamplerKind(NamedTuple):
    """How a diffusers scheduler class is driven.

    Attributes:
        module: where diffusers keeps it.
        scheduler: its class.
        scaled: whether its coordinates are x / alpha.
        stages: denoiser calls per step (the last step takes one).
        clips: whether it can clip the endpoint estimate to the image range.
    """

    module: str
    scheduler: str
    scaled: bool
    stages: Literal[1, 2]
    clips: bool


SAMPLERS = {
    "ddim": SamplerKind("scheduling_ddim", "DDIMScheduler", False, 1, True),
    "euler": SamplerKind("scheduling_euler_discrete", "EulerDiscreteScheduler", True, 1, False),
    "heun": SamplerKind("scheduling_heun_discrete", "HeunDiscreteScheduler", True, 2, True),
    "dpmsolverpp": SamplerKind("scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler", False, 1, False),
}


@dataclass(frozen=True)
class Step:
    """One step of a sampler.

    Attributes:
        index: 0 for noise, N for the image.
        state: x_t, shape (sample, channel, height, width).
        endpoint: x0_hat(x_t), same shape; at the last step the image itself.
        level: (alpha, sigma) of the state.
    """

    index: int
    state: Tensor
    endpoint: Tensor
    level: NoiseLevel


def make_scheduler(name: str, schedule: Any, **options: Any) -> Any:
    """A diffusers scheduler that takes endpoint estimates, on the noise schedule of a network.

    Args:
        name: a key of `SAMPLERS`.
        schedule: a diffusers scheduler, or its configuration: the noise schedule is taken from it, nothing else.
        options: further settings of the scheduler class (`timestep_spacing`, `clip_sample`, ...).

    Raises:
        ValueError: an unknown sampler.
    """
    if name not in SAMPLERS:
        raise ValueError(f"unknown sampler {name!r}; known are {', '.join(SAMPLERS)}")
    kind = SAMPLERS[name]
    scheduler_class = getattr(importlib.import_module(f"diffusers.schedulers.{kind.module}"), kind.scheduler)
    config = getattr(schedule, "config", schedule)
    if config.get("rescale_betas_zero_snr"):
        raise ValueError(
            "networks with rescale_betas_zero_snr end at alpha = 0, where x0_hat has no finite noise prediction"
        )
    settings = {key: config[key] for key in SCHEDULE_KEYS if key in config}
    if kind.clips:
        settings["clip_sample"] = options.pop("clip_sample", False)
    options.pop("clip_sample", None)
    return scheduler_class(**settings, prediction_type="sample", **options)


class Sampler:
    """A sampler with its grid; `walk` yields its steps.

    Args:
        name: a key of `SAMPLERS`.
        steps: number of steps N.
        schedule: the network's diffusers scheduler or its configuration.
        options: settings of the diffusers scheduler, e.g. `timestep_spacing`.

    Attributes:
        grid: the N + 1 levels.

    Raises:
        ValueError: an unknown sampler, or a number of steps that the schedule cannot give.
    """

    def __init__(self, name: str, steps: int, schedule: Any, **options: Any) -> None:
        self.name, self.steps = name, steps
        self._fresh = lambda: make_scheduler(name, schedule, **options)
        scheduler = self._ready()
        self.grid = _grid(scheduler, SAMPLERS[name], steps)
        if (np.diff(self.grid.angle) >= 0).any():
            raise ValueError(f"{name} cannot take {steps} steps: its grid would visit a time twice; take fewer steps")
        self._noise_scale = float(scheduler.init_noise_sigma) * self._scale(0)

    def _ready(self) -> Any:
        scheduler = self._fresh()
        if not 1 <= self.steps <= scheduler.config.num_train_timesteps:
            raise ValueError(
                f"{self.name} cannot take {self.steps} steps: the network knows {scheduler.config.num_train_timesteps} times"
            )
        scheduler.set_timesteps(self.steps)
        return scheduler

    def _scale(self, step: int) -> float:
        return self.grid[step].alpha if SAMPLERS[self.name].scaled else 1.0

    def start(self, noise: Tensor) -> Tensor:
        """The state at step 0 that belongs to standard normal noise, shape (sample, channel, height, width)."""
        return noise * self._noise_scale

    def calls(self, begin: int = 0) -> int:
        """Denoiser calls of a walk from a step to the image: the NFE of one image."""
        stages = SAMPLERS[self.name].stages
        return stages * (self.steps - begin) - (stages - 1)

    def walk(self, denoiser: Denoiser, state: Tensor, begin: int = 0) -> Iterator[Step]:
        """Yield the steps from `begin` to N, the state at `begin` first.

        Args:
            denoiser: gives the endpoint estimates.
            state: x at step `begin`, shape (sample, channel, height, width).
            begin: the step to start from, 0 <= begin < N.

        Raises:
            ValueError: `begin` is not a step to start from.
        """
        if not 0 <= begin < self.steps:
            raise ValueError(f"{self.name} with {self.steps} steps cannot begin at step {begin}")
        scheduler = self._ready()
        stages = SAMPLERS[self.name].stages
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(begin * stages)
        for index in range(begin, self.steps):
            endpoint = denoiser(state, *self.grid[index])
            yield Step(index, state, endpoint, self.grid[index])
            state = self._advance(scheduler, index, state, endpoint, denoiser)
        yield Step(self.steps, state, state / self.grid[self.steps].alpha, self.grid[self.steps])

    def _advance(self, scheduler: Any, index: int, state: Tensor, endpoint: Tensor, denoiser: Denoiser) -> Tensor:
        stages = SAMPLERS[self.name].stages
        moved = self._stage(scheduler, index * stages, state / self._scale(index), endpoint)
        if stages == 2 and index + 1 < self.steps:
            corrected = denoiser(moved * self._scale(index + 1), *self.grid[index + 1])
            moved = self._stage(scheduler, index * stages + 1, moved, corrected)
        return moved * self._scale(index + 1)

    @staticmethod
    def _stage(scheduler: Any, position: int, native: Tensor, endpoint: Tensor) -> Tensor:
        time = scheduler.timesteps[position]
        scheduler.scale_model_input(native, time)
        moved: Tensor = scheduler.step(endpoint, time, native, return_dict=False)[0]
        return moved


def _grid(scheduler: Any, kind: SamplerKind, steps: int) -> NoiseGrid:
    if hasattr(scheduler, "sigmas"):
        ratios = scheduler.sigmas.double().tolist()
        ratios = [ratios[0], *ratios[1 : -1 : kind.stages], ratios[-1]] if kind.stages > 1 else ratios
        return NoiseGrid.of([vp_level(ratio) for ratio in ratios])
    _require_even_steps(scheduler, steps)
    squares = [float(scheduler.alphas_cumprod[time]) for time in scheduler.timesteps]
    squares.append(float(scheduler.final_alpha_cumprod))
    alpha = np.sqrt(np.array(squares, np.float64))
    return NoiseGrid(alpha, np.sqrt(1.0 - alpha**2))


def _require_even_steps(scheduler: Any, steps: int) -> None:
    """diffusers' DDIM always moves by T // N times; where its own grid does not, its states are not at the grid's levels."""
    times, total = scheduler.timesteps.tolist(), scheduler.config.num_train_timesteps
    stride = total // steps
    if any(time - stride != following for time, following in pairwise(times)) or times[-1] >= stride:
        spacing = scheduler.config.timestep_spacing
        raise ValueError(
            f"ddim cannot take {steps} of {total} times with the spacing {spacing!r}: diffusers' DDIM moves by {stride} "
            f"times at each step, its grid does not; use the spacing leading, or trailing with steps that divide {total}"
        )


def initial_noise(seeds: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Standard normal noise, one random number stream per image: image i depends on seed i alone.

    Args:
        seeds: one per image.
        shape: (channel, height, width).

    Returns:
        shape (sample, channel, height, width), float32, made on the CPU whatever the device of the network.
    """
    return torch.stack([torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def seed_batches(seeds: range, size: int) -> Iterator[list[int]]:
    """A range of seeds, at most `size` at a time."""
    return (list(seeds[start : start + size]) for start in range(0, len(seeds), size))


def sample(sampler: Sampler, denoiser: Denoiser, state: Tensor, begin: int = 0) -> Tensor:
    """The final images of a walk, shape (sample, channel, height, width)."""
    return last(sampler.walk(denoiser, state, begin)).state


def last(steps: Iterable[Step]) -> Step:
    """The last step of a walk; the others are let go one by one, where `*_, last = walk` would hold them all."""
    (step,) = deque(steps, maxlen=1)
    return step
