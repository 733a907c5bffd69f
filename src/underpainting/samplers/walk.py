r"""Samplers as generators: state and endpoint estimate of every step, in the coordinates x_t = alpha x_0 + sigma noise.

The arithmetic of each sampler is diffusers' own; a `Sampler` gives its scheduler the endpoint estimate of any
denoiser (prediction type "sample") and translates between its coordinates and ours. Two kinds of coordinates occur:

    x_t / sqrt(alpha_t^2 + sigma_t^2)   DDIM (Song et al. 2021), PNDM (Liu et al. 2022), DPM-Solver++ (Lu et al. 2022),
                                        UniPC (Zhao et al. 2023), DEIS and iPNDM (Zhang & Chen 2023), DDPM (Ho et al.
                                        2020): the variance-preserving path
    x_t / alpha_t                       Euler, Heun, churn (Karras et al. 2022) and LMS, which use sigma / alpha

A sampler of N steps visits N + 1 levels: step 0 is noise, step N the image. It can begin at any step (Sec. 6.1);
multistep samplers then start with their first-order step, as from noise. Their histories begin there.

A sampler that clips (`clip_sample`) makes its step with the endpoint estimate clipped to the image range, and its `Step`s hold
the clipped one; DDIM computes the noise from the unclipped estimate, as diffusers' pipelines do.

The relative sampler is ours (`relative`). It needs the data's eigenbasis. Its own grid leaves out the levels where the Gaussian
decides all: the noise is carried from the network's noisiest level to the grid's first along the Gaussian's flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from underpainting.denoisers import Denoiser, noise_prediction
from underpainting.noise.covariance_grid import covariance_grid
from underpainting.noise.levels import PURE_NOISE, NoiseGrid, NoiseLevel, vp_level
from underpainting.noise.schedules import schedule_of
from underpainting.samplers import churn, registry
from underpainting.samplers.randomness import added_noise
from underpainting.samplers.relative import (
    Bases,
    ClassIntegrator,
    RelativeIntegrator,
    basis_like,
    make_integrator,
    variances_of,
)
from underpainting.samplers.schedulers import (
    followed,
    kind_of,
    on_grid,
    own_grid,
    require_clipping,
    require_image,
    spread,
    start_scale,
)

Flow = Callable[[Tensor, NoiseLevel, NoiseLevel], Tensor]
"""A map of states from one noise level to another, such as `GaussianDenoiser.state`."""


@dataclass(frozen=True)
class Step:
    """One step of a sampler.

    Attributes:
        index: 0 for noise, N for the image.
        state: x_t, shape (sample, channel, height, width).
        endpoint: x0_hat(x_t) as the sampler uses it, clipped if it clips, same shape; at the last step the image itself.
        level: (alpha, sigma) of the state.
    """

    index: int
    state: Tensor
    endpoint: Tensor
    level: NoiseLevel


class Sampler:
    """A sampler with its grid; `walk` yields its steps.

    Args:
        name: a key of `SAMPLERS`.
        steps: number of steps N.
        schedule: the network's diffusers scheduler or its configuration.
        basis: of the data, or of each image's class, for a relative sampler.
        options: settings of the diffusers scheduler, e.g. `timestep_spacing`; they override `followed`. Of a relative sampler
            `jump_first`: whether the Gaussian's flow leads from the noisiest level to the first call, or that is there.

    Attributes:
        grid: the N + 1 levels.
        basis: of the data, or of each image's class, for a relative sampler.
        origin: level of the noise that `start` carries to the grid's first level; None if the grid begins with the noise.

    Raises:
        ValueError: an unknown sampler, `clip_sample` for one that cannot clip, a number of steps that the schedule lacks, or a
            relative sampler without a basis.
    """

    def __init__(self, name: str, steps: int, schedule: Any, basis: Bases | None = None, **options: Any) -> None:
        if kind_of(name).relative:
            require_clipping(kind_of(name), options)
            network, jump = schedule_of(schedule), bool(options.get("jump_first", True))
            grid = covariance_grid(network, steps, variances_of(_required(basis, name)), after_jump=jump)
            noisiest = network.level(1.0)
            self._place(name, grid, spread(noisiest), {}, basis, noisiest if jump else None)
            return
        options = followed(name, schedule) | options
        grid = own_grid(name, steps, schedule, **options)
        self._place(name, grid, start_scale(name, steps, schedule, grid, **options), options)

    def _place(
        self,
        name: str,
        grid: NoiseGrid,
        noise_scale: float,
        options: dict[str, Any],
        basis: Bases | None = None,
        origin: NoiseLevel | None = None,
    ) -> None:
        self.name, self.kind, self.grid, self.origin, self.basis = name, kind_of(name), grid, origin, basis
        self.steps = len(grid) - 1
        self._noise_scale, self._options = noise_scale, options
        self._bases: dict[tuple[torch.dtype, torch.device], Bases] = {}

    @classmethod
    def on(
        cls,
        name: str,
        grid: NoiseGrid,
        basis: Bases | None = None,
        origin: NoiseLevel | None = None,
        **options: Any,
    ) -> Sampler:
        """Create a sampler on any grid that ends at sigma = 0.

        Args:
            name: a key of `SAMPLERS`.
            grid: N + 1 levels.
            basis: of the data, or of each image's class, for a relative sampler.
            origin: for a relative sampler, level of the noise, if the grid begins at a less noisy one.
            options: settings of the diffusers scheduler.

        Raises:
            ValueError: an unknown sampler, a grid that ends with noise, or a relative sampler without a basis.
        """
        if kind_of(name).relative:
            _required(basis, name)
            require_clipping(kind_of(name), options)
            require_image(grid)
        else:
            on_grid(name, grid, **options)
        sampler = cls.__new__(cls)
        sampler._place(name, grid, spread(origin or grid[0]), options, basis, origin)
        return sampler

    def unclipped(self) -> Sampler:
        """Return the same sampler on the same grid without clipping, for states that are not pixels."""
        free = Sampler.__new__(Sampler)
        options = {key: value for key, value in self._options.items() if key not in ("clip_sample", "thresholding")}
        free._place(self.name, self.grid, self._noise_scale, options, self.basis, self.origin)
        return free

    def _scale(self, step: int) -> float:
        level = self.grid[step]
        return level.alpha if self.kind.scaled else float(np.hypot(*level))

    def start(self, noise: Tensor, coloured_by: Flow | None = None) -> Tensor:
        """Turn standard normal noise into the state at step 0.

        Args:
            noise: shape (sample, channel, height, width).
            coloured_by: carries the noise from alpha = 0 to the first level, so that the state has the signal of that level
                (`gaussian.coloured_noise`); None for a start with white noise.

        Returns:
            x at step 0, in the shape and dtype of `noise`.
        """
        if coloured_by is not None:
            return coloured_by(noise, PURE_NOISE, self.grid[0])
        state = noise * self._noise_scale
        if self.origin is None:
            return state
        flat = (state / self.origin.alpha).flatten(1)
        moved = self.integrator(flat).carry(flat, self.origin.ratio, self.grid[0].ratio)
        return moved.reshape(noise.shape) * self.grid[0].alpha

    def integrator(self, like: Tensor, origin: float | None = None) -> RelativeIntegrator | ClassIntegrator:
        """Make the integrator of one walk of a relative sampler; arguments as for `RelativeIntegrator`.

        The basis as the states need it is kept for the next walk.
        """
        if (key := (like.dtype, like.device)) not in self._bases:
            self._bases = {key: basis_like(_required(self.basis, self.name), like)}
        return make_integrator(self._bases[key], like, origin)

    def calls(self, begin: int = 0) -> int:
        """Count the denoiser calls of a walk from step `begin` to the image: the NFE of one image."""
        return registry.calls(self.name, self.steps - begin)

    def walk(
        self, denoiser: Denoiser, state: Tensor, begin: int = 0, seeds: Sequence[int] | None = None
    ) -> Iterator[Step]:
        """Yield the steps from `begin` to N, the state at `begin` first.

        Args:
            denoiser: computes the endpoint estimates.
            state: x at step `begin`, shape (sample, channel, height, width).
            begin: the step to start from, 0 <= begin < N.
            seeds: one per image; stochastic samplers draw their noise from them.

        Raises:
            ValueError: `begin` is out of range, or a stochastic sampler has no seeds.
        """
        if not 0 <= begin < self.steps:
            raise ValueError(f"{self.name} with {self.steps} steps cannot begin at step {begin}")
        if self.kind.stochastic and (seeds is None or len(seeds) != len(state)):
            raise ValueError(f"{self.name} adds noise on its way: give it the seed of every image")
        return self._walk(denoiser, state, begin, added_noise(seeds or ()))

    def _walk(
        self, denoiser: Denoiser, state: Tensor, begin: int, streams: Sequence[torch.Generator]
    ) -> Iterator[Step]:
        scheduler = _Relative(self, begin, state) if self.kind.relative else _Driven(self, begin, streams)
        for index in range(begin, self.steps):
            here, arriving = self.grid[index], state
            state, here = scheduler.prepared(state, index)
            endpoint = denoiser(state, *here)
            yield Step(index, arriving, scheduler.used(endpoint), self.grid[index])
            state = scheduler.advance(index, state, endpoint, here, denoiser)
        yield Step(self.steps, state, state / self.grid[self.steps].alpha, self.grid[self.steps])


def _required(basis: Bases | None, name: str) -> Bases:
    if basis is None:
        raise ValueError(f"{name} integrates the Gaussian of the data exactly; give it the eigenbasis of the data")
    return basis


class _Relative:
    """The relative sampler in the course of a walk through its grid; as `_Driven`, without churn and clipping."""

    def __init__(self, sampler: Sampler, begin: int, state: Tensor) -> None:
        origin = sampler.origin.ratio if sampler.origin and begin == 0 else None
        self._integrator, self._grid = sampler.integrator(state, origin), sampler.grid

    def prepared(self, state: Tensor, index: int) -> tuple[Tensor, NoiseLevel]:
        return state, self._grid[index]

    def used(self, endpoint: Tensor) -> Tensor:
        return endpoint

    def advance(self, index: int, state: Tensor, endpoint: Tensor, here: NoiseLevel, denoiser: Denoiser) -> Tensor:  # noqa: ARG002
        """Compute the state at the next step."""
        there = self._grid[index + 1]
        flat, estimate = (state / here.alpha).flatten(1), endpoint.flatten(1)
        return self._integrator.step(flat, estimate, here.ratio, there.ratio).reshape(state.shape) * there.alpha


class _Driven:
    """A diffusers scheduler in the course of a walk through a sampler's grid."""

    def __init__(self, sampler: Sampler, begin: int, streams: Sequence[torch.Generator]) -> None:
        self._sampler, self._begin, self._streams = sampler, begin, streams
        self._position = 0
        rest = NoiseGrid(sampler.grid.alpha[begin:], sampler.grid.sigma[begin:])
        self._scheduler = on_grid(sampler.name, rest, **sampler._options)

    def prepared(self, state: Tensor, index: int) -> tuple[Tensor, NoiseLevel]:
        """Return the state for the denoiser call and its level: those of the step, unless churned."""
        level = self._sampler.grid[index]
        if self._sampler.kind.noise != "churn":
            return state, level
        noisier, ratio = churn.churned(state / level.alpha, level.ratio, self._sampler.steps, self._streams)
        self._scheduler.sigmas[self._position] = ratio
        return noisier * level.alpha, NoiseLevel(level.alpha, ratio * level.alpha)

    def used(self, endpoint: Tensor) -> Tensor:
        """Return an endpoint estimate as the scheduler uses it, clipped or thresholded if configured so."""
        config = self._scheduler.config
        if config.get("thresholding"):
            return cast(Tensor, self._scheduler._threshold_sample(endpoint))
        if config.get("clip_sample"):
            return endpoint.clamp(-config["clip_sample_range"], config["clip_sample_range"])
        return endpoint

    def advance(self, index: int, state: Tensor, endpoint: Tensor, here: NoiseLevel, denoiser: Denoiser) -> Tensor:
        """Compute the state at the next step."""
        sampler, there = self._sampler, self._sampler.grid[index + 1]
        moved = self._stage(state, endpoint, here, sampler._scale(index)) * sampler._scale(index + 1)
        if self._corrects(index):
            corrected = denoiser(moved, *there)
            moved = self._stage(moved, corrected, there, sampler._scale(index + 1)) * sampler._scale(index + 1)
        return moved

    def _corrects(self, index: int) -> bool:
        if index + 1 == self._sampler.steps:
            return False
        corrects = self._sampler.kind.corrects
        return corrects == "every" or (corrects == "first" and index == self._begin)

    def _stage(self, state: Tensor, endpoint: Tensor, level: NoiseLevel, scale: float) -> Tensor:
        kind, time = self._sampler.kind, self._scheduler.timesteps[self._position]
        given = endpoint if kind.takes == "sample" else self._prediction(state, endpoint, level)
        self._scheduler.scale_model_input(state, time)
        extra = {"generator": self._streams} if kind.noise == "scheduler" else {}
        moved: Tensor = self._scheduler.step(given, time, state / scale, return_dict=False, **extra)[0]
        self._position += 1
        return moved

    def _prediction(self, state: Tensor, endpoint: Tensor, level: NoiseLevel) -> Tensor:
        """Compute noise, or the velocity on the variance-preserving path, as the scheduler requires."""
        noise = noise_prediction(state, endpoint, level)
        if self._scheduler.config.get("prediction_type") == "epsilon":
            return noise
        alpha, sigma = vp_level(level.ratio)
        return alpha * noise - sigma * endpoint


def sample(
    sampler: Sampler, denoiser: Denoiser, state: Tensor, begin: int = 0, seeds: Sequence[int] | None = None
) -> Tensor:
    """Return the final images of a walk, shape (sample, channel, height, width)."""
    return last(sampler.walk(denoiser, state, begin, seeds)).state


def last(steps: Iterable[Step]) -> Step:
    """Return the last step of a walk, releasing the others one by one; `*_, last = walk` would hold them all."""
    (step,) = deque(steps, maxlen=1)
    return step
