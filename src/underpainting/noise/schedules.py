r"""Noise schedule of a network: the levels of its training by time, and grids from any of them to the image.

Time runs from 1, the noisiest level that the network was trained on, to 0, the least noisy; a sampler's last step
leads from its last level to sigma = 0. Evenly spaced times are evenly spaced in

    variance preserving   the integer training times t, with sigma / alpha interpolated between them, as in diffusers
    EDM                   sigma^(1 / rho) (Karras et al. 2022, Eq. 5)
    flow matching         t, where alpha = 1 - t and sigma = t; its noisiest level is t = 0.999, since alpha must not vanish

A grid of N steps that starts at time s visits s, s (N - 1) / N, ..., s / N, and then the image; EDM's visits its
least noisy level before the image, as published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from underpainting.noise import families
from underpainting.noise.levels import DATA, FloatArray, NoiseGrid, NoiseLevel, vp_level

NOISIEST_FLOW = 0.999
RHO = 7.0


class Schedule(Protocol):
    """Noise levels that a network was trained on."""

    def level(self, time: float) -> NoiseLevel:
        """Return the level at a time in [0, 1], from the least noisy (0) to the noisiest (1)."""
        ...

    def at(self, ratio: float) -> NoiseLevel:
        """Return the level of the network's path at a noise-to-signal ratio."""
        ...

    def grid(self, steps: int, start: float = 1.0) -> NoiseGrid:
        """Make a grid of `steps` levels from the time `start`, then the image: shape (steps + 1,)."""
        ...


@dataclass(frozen=True)
class VariancePreservingSchedule:
    """Discrete variance-preserving schedule, as of DDPM.

    Attributes:
        ratios: sigma / alpha by training time, ascending, shape (T,).
    """

    ratios: FloatArray

    def level(self, time: float) -> NoiseLevel:
        last = len(self.ratios) - 1
        return vp_level(float(np.interp(time * last, np.arange(last + 1), self.ratios)))

    def at(self, ratio: float) -> NoiseLevel:
        return vp_level(ratio)

    def grid(self, steps: int, start: float = 1.0) -> NoiseGrid:
        times = _times(steps, start)
        return NoiseGrid.of([*(self.level(time) for time in times), DATA])


@dataclass(frozen=True)
class EDMSchedule:
    """Schedule of Karras et al. (2022): alpha = 1, sigma from sigma_max to sigma_min.

    Attributes:
        sigma_min, sigma_max: range of levels that the network was trained on.
        rho: exponent of the spacing.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = RHO

    def level(self, time: float) -> NoiseLevel:
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        return NoiseLevel(1.0, float((low + time * (high - low)) ** self.rho))

    def at(self, ratio: float) -> NoiseLevel:
        return NoiseLevel(1.0, ratio)

    def grid(self, steps: int, start: float = 1.0) -> NoiseGrid:
        times = _checked(steps, start) * np.linspace(1.0, 0.0, steps)
        return NoiseGrid.of([*(self.level(float(time)) for time in times), DATA])


@dataclass(frozen=True)
class FlowSchedule:
    """Schedule of flow matching: alpha = 1 - t, sigma = t."""

    def level(self, time: float) -> NoiseLevel:
        t = NOISIEST_FLOW * time
        return NoiseLevel(1.0 - t, t)

    def at(self, ratio: float) -> NoiseLevel:
        return NoiseLevel(1.0 / (1.0 + ratio), ratio / (1.0 + ratio))

    def grid(self, steps: int, start: float = 1.0) -> NoiseGrid:
        return NoiseGrid.of([*(self.level(time) for time in _times(steps, start)), DATA])


def _checked(steps: int, start: float) -> float:
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(f"a grid needs a step or more and a start in (0, 1], got {steps} steps from {start}")
    return start


def _times(steps: int, start: float) -> list[float]:
    first = _checked(steps, start)
    return [first * (steps - step) / steps for step in range(steps)]


def schedule_of(scheduler: Any) -> Schedule:
    """Make a network's schedule from the diffusers scheduler that it was trained with, or its configuration.

    Args:
        scheduler: of a class in `families`; a configuration that names no class must have betas.

    Raises:
        ValueError: its noise path is unknown, or ends at alpha = 0, where x0_hat has no finite noise prediction.
    """
    config: Mapping[str, Any] = getattr(scheduler, "config", scheduler)
    named = config.get("_class_name") or ("DDIMScheduler" if scheduler is config else type(scheduler).__name__)
    family = families.family_of(str(named))
    if family == "EDM":
        return EDMSchedule(config["sigma_min"], config["sigma_max"], config.get("rho", RHO))
    if family == "flow matching":
        return FlowSchedule()
    square = np.asarray(_table(scheduler, config), np.float64)
    if config.get("rescale_betas_zero_snr") or square.min() <= 0:
        raise families.UnknownPathError(families.ZERO_TERMINAL_SNR)
    return VariancePreservingSchedule(np.sqrt((1.0 - square) / square))


def _table(scheduler: Any, config: Mapping[str, Any]) -> Any:
    """Return alpha^2 by training time: the scheduler's table, or the one that DDIMScheduler makes of its betas."""
    if (own := getattr(scheduler, "alphas_cumprod", None)) is not None:
        return own
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler.from_config(config).alphas_cumprod


def load_schedule(path: str | Path) -> Schedule:
    """Load the schedule of a network from its `scheduler_config.json`."""
    return schedule_of(json.loads(Path(path).read_text(encoding="utf-8")))


def karras_grid(schedule: Schedule, steps: int, start: float = 1.0) -> NoiseGrid:
    """Make a grid with the spacing of Karras et al. (2022) on a network's path, from the time `start` to time 0.

    Args:
        schedule: of the network.
        steps: number of levels before the image.
        start: time at which the grid begins, in (0, 1].
    """
    return karras_grid_from(schedule, schedule.level(_checked(steps, start)).ratio, steps)


def karras_grid_from(schedule: Schedule, ratio: float, steps: int) -> NoiseGrid:
    """Make a grid with the spacing of Karras et al. (2022) on a network's path, from a noise-to-signal ratio.

    Args:
        schedule: of the network.
        ratio: sigma / alpha of the first level.
        steps: number of levels before the image.
    """
    least = min(least_ratio(schedule), ratio)
    ratios = EDMSchedule(least, ratio).grid(steps).sigma
    return NoiseGrid.of([*(schedule.at(float(one)) for one in ratios[:-1]), DATA])


def least_ratio(schedule: Schedule) -> float:
    """Return sigma / alpha of the least noisy level of a network's training, or of time 0.001 where that has no noise."""
    return schedule.level(0.0).ratio or schedule.level(1e-3).ratio
