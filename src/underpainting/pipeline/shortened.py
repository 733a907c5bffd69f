"""A scheduler of diffusers without its first steps, in the loop of a pipeline of diffusers.

A pipeline of diffusers asks its scheduler for the times of its steps and then for every step. `ShortenedScheduler` stands in
the scheduler's place: it leaves out the first steps, carries the initial state to the first that is left by a jump, and
records the states. Everything else is the scheduler's own. What is left begins as a scheduler's own steps do, with an
empty history: a multistep method takes its first-order step there, and PNDM calls the network twice at its second time.

diffusers has states in two units, x / sqrt(alpha^2 + sigma^2) and x / alpha (`samplers.walk`). Jumps are made in the units
of the scheduler. Recorded states are those that the network is given, on the variance-preserving path.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from underpainting.denoisers import endpoint_of_prediction
from underpainting.noise.levels import DATA, NoiseLevel, vp_level
from underpainting.pipeline.schedulers import network_kind, sampler_name
from underpainting.samplers.registry import SamplerKind
from underpainting.samplers.schedulers import kind_of
from underpainting.samplers.walk import Step
from underpainting.teleport.jumps import Jump


class ShortenedScheduler:
    """A scheduler whose first steps are replaced by a jump, and which records its steps.

    Args:
        scheduler: of diffusers, on the variance-preserving path; it is not changed unless no step is skipped.
        skipped: number of steps to skip.
        jump: maps the initial state to the first step that is left; without effect if no step is skipped.
        record: whether to keep states and endpoint estimates.

    Attributes:
        calls: number of steps made, each with one prediction.

    Raises:
        ValueError: no sampler of this library uses the scheduler's class, or it cannot begin later.
    """

    def __init__(self, scheduler: Any, skipped: int = 0, jump: Jump | None = None, record: bool = False) -> None:
        self._scheduler = copy.deepcopy(scheduler) if skipped else scheduler
        self._skipped, self._jump, self._record = skipped, jump, record
        self._kind = _kind_that_begins_later(scheduler) if skipped or record else None
        self.calls = 0
        self._levels: list[NoiseLevel] = []
        self._noisiest, self._start_scale = DATA, 1.0
        self._steps: list[Step] = []
        self._given: Tensor | None = None
        self.set_timesteps = _with_arguments_of(scheduler.set_timesteps, self._set_timesteps)
        self.step = _with_arguments_of(scheduler.step, self._step)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)

    @property
    def init_noise_sigma(self) -> Any:
        """Standard deviation of the initial noise in the scheduler's units, at its first step before any is skipped."""
        return self._start_scale if self._skipped else self._scheduler.init_noise_sigma

    def _set_timesteps(self, *given: Any, **named: Any) -> None:
        self._scheduler.set_timesteps(*given, **named)
        if self._kind is None:
            return
        self._start_scale = self._scheduler.init_noise_sigma
        self._noisiest = _levels_of(self._scheduler, self._kind)[0]
        if self._skipped:
            _leave_out(self._scheduler, self._kind, self._skipped)
        self._levels = _levels_of(self._scheduler, self._kind)

    def start(self, state: Tensor) -> Tensor:
        """Carry the initial state to the first step that is left, in the scheduler's units."""
        if not self._skipped or self._jump is None:
            return state
        return self._jump(state, self._noisiest, self._levels[0])

    def scale_model_input(self, state: Tensor, time: Any) -> Tensor:
        """Return the network's input, as the scheduler makes it."""
        given: Tensor = self._scheduler.scale_model_input(state, time)
        self._given = given if self._record else None
        return given

    def _step(self, output: Tensor, time: Any, state: Tensor, *given: Any, **named: Any) -> Any:
        moved = self._scheduler.step(output, time, state, *given, **named)
        if self._record:
            assert self._given is not None
            # with guidance the network is given every state twice
            self._keep(output, self._given[: len(state)], moved[0])
        self.calls += 1
        return moved

    def _keep(self, output: Tensor, state: Tensor, moved: Tensor) -> None:
        """Keep a step and, until the next one comes, its result as the last state."""
        here, there = self._levels[self.calls], self._levels[self.calls + 1]
        level, end = vp_level(here.ratio), vp_level(there.ratio)
        self._steps = self._steps[:-1]
        # of a method that calls twice at a time the later state counts
        if self._steps and self._steps[-1].level == level:
            self._steps.pop()
        prediction = self._scheduler.config.get("prediction_type", "epsilon")
        endpoint = endpoint_of_prediction(prediction, state, output, level)
        index = self._steps[-1].index + 1 if self._steps else self._skipped
        last = moved * (end.alpha / there.alpha)
        self._steps += [Step(index, state, endpoint, level), Step(index + 1, last, last / end.alpha, end)]

    @property
    def steps(self) -> list[Step]:
        """The recorded steps, and the final state."""
        return self._steps


def begin_later(scheduler: Any, skipped: int, jump: Jump, state: Tensor) -> Tensor:
    """Leave out the first steps of a scheduler, in place, and carry the initial state to the first that is left.

    Args:
        scheduler: of diffusers, of the variance-preserving path or of flow matching, after `set_timesteps`.
        skipped: number of steps to skip.
        jump: in the units of the scheduler.
        state: the initial noise as the scheduler scales it, shape (sample, channel, height, width).

    Returns:
        the state at the first step that is left, in the shape and dtype of `state`.

    Raises:
        ValueError: no sampler of this library uses the scheduler's class, or it cannot begin later.
    """
    kind = _kind_that_begins_later(scheduler)
    noisiest = _levels_of(scheduler, kind)[0]
    _leave_out(scheduler, kind, skipped)
    return jump(state, noisiest, _levels_of(scheduler, kind)[0])


def _with_arguments_of(method: Callable[..., Any], own: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function the signature of a scheduler's method, at which pipelines look."""

    @functools.wraps(method)
    def call(*given: Any, **named: Any) -> Any:
        return own(*given, **named)

    return call


def _kind_that_begins_later(scheduler: Any) -> SamplerKind:
    """Return the kind of sampler of a scheduler whose steps can be left out and recorded.

    Raises:
        ValueError: it cannot.
    """
    kind = kind_of(sampler_name(scheduler))
    if kind.levels == "network" or (kind.scheduler == "PNDMScheduler" and not scheduler.config.get("skip_prk_steps")):
        raise ValueError(
            f"{kind.label} as it is set here cannot begin at a later step; use another scheduler (PNDM: skip_prk_steps=True)"
        )
    return kind


def _levels_of(scheduler: Any, kind: SamplerKind) -> list[NoiseLevel]:
    """Return the levels of all steps and of the image, in the scheduler's units."""
    if network_kind(scheduler) == "flow matching":
        times = [float(sigma) for sigma in scheduler.sigmas[: len(scheduler.timesteps) + 1]]
        return [NoiseLevel(1.0 - time, time) for time in times]
    if not kind.tabled:
        ratios = [float(ratio) for ratio in scheduler.sigmas[: len(scheduler.timesteps) + 1]]
        return [NoiseLevel(1.0, ratio) if kind.scaled else vp_level(ratio) for ratio in ratios]
    squares = scheduler.alphas_cumprod[scheduler.timesteps.cpu()].tolist()
    squares.append(float(getattr(scheduler, "final_alpha_cumprod", 1.0)))
    return [NoiseLevel(float(np.sqrt(square)), float(np.sqrt(1 - square))) for square in squares]


def _leave_out(scheduler: Any, kind: SamplerKind, skipped: int) -> None:
    """Leave out the first steps of a scheduler, in place."""
    times = scheduler.timesteps
    if skipped * scheduler.order >= len(times):
        raise ValueError(f"{skipped} steps cannot be skipped of {len(times)} timesteps; leave one at least")
    if kind.scheduler == "PNDMScheduler":  # the second of its times is there twice
        left = torch.cat([times[:1], times[2:]])[skipped:]
        scheduler.timesteps = torch.cat([left[:2], left[1:]])
        return
    left_out = skipped * scheduler.order  # Heun's scheduler lists every time but the first twice
    scheduler.timesteps = times[left_out:]
    if not kind.tabled:
        scheduler.sigmas = scheduler.sigmas[left_out:]
        scheduler.set_begin_index(0)
