"""Diffusers' schedulers on any grid of noise levels; the arithmetic of each sampler is diffusers' own.

A scheduler that looks up its levels is given those of a grid instead of its own, from the step where a walk begins. So any
sampler can begin at any level, with an empty history, and visit levels that its class has no times for.
"""

from __future__ import annotations

import importlib
import inspect
from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from underpainting.noise import families
from underpainting.noise.levels import NoiseGrid, NoiseLevel, vp_level
from underpainting.noise.schedules import VariancePreservingSchedule, karras_grid, schedule_of
from underpainting.samplers.registry import CLIPPING, SAMPLERS, SamplerKind

SCHEDULE_KEYS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")
# settings of a scheduler's own levels; on a given grid they would shift its times or its end
SPACING_KEYS = (
    "timestep_spacing",
    "steps_offset",
    "set_alpha_to_one",
    "final_sigmas_type",
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "use_beta_sigmas",
    "use_lu_lambdas",
)


# settings that a sampler takes from a model's scheduler beside its noise schedule; for the others see docs/pipeline.md
FOLLOWED = ("steps_offset", "clip_sample_range", "variance_type")


def kind_of(name: str) -> SamplerKind:
    """Return the kind of a sampler by its name.

    Raises:
        ValueError: an unknown sampler.
    """
    if name not in SAMPLERS:
        raise ValueError(f"unknown sampler {name!r}; known are {', '.join(SAMPLERS)}")
    return SAMPLERS[name]


def _class_of(kind: SamplerKind) -> Any:
    return getattr(importlib.import_module(f"diffusers.schedulers.{kind.module}"), kind.scheduler)


def require_clipping(kind: SamplerKind, options: Mapping[str, Any]) -> None:
    """Check that a sampler can clip endpoint estimates if that is requested.

    Raises:
        ValueError: it cannot.
    """
    if options.get("clip_sample") and not kind.clips:
        owner = "" if kind.relative else " of diffusers"
        raise ValueError(
            f"{kind.label}{owner} cannot clip endpoint estimates; leave clip_sample out, or take {CLIPPING}"
        )


def _settings(kind: SamplerKind, options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a scheduler other than its schedule."""
    require_clipping(kind, options)
    clipping = {"clip_sample": options.get("clip_sample", False)} if kind.clips else {}
    chosen = {key: value for key, value in options.items() if key != "clip_sample"}
    predicted = {} if kind.takes == "velocity" else {"prediction_type": kind.takes}
    return {**predicted, **chosen, **clipping, **kind.fixed}


def followed(name: str, schedule: Any) -> dict[str, Any]:
    """Return settings that a sampler takes from a model's own scheduler, as options of `make_scheduler`.

    The noise schedule itself is not among them. PNDM averages the network's predictions: velocities if it predicts those, else
    noise.

    Args:
        name: a key of `SAMPLERS`.
        schedule: the network's diffusers scheduler or its configuration.
    """
    kind, config = kind_of(name), getattr(schedule, "config", schedule)
    if kind.relative:
        return {}
    known = inspect.signature(_class_of(kind).__init__).parameters
    found = {key: config[key] for key in FOLLOWED if key in known and config.get(key) is not None}
    if str(found.get("variance_type", "")).startswith("learned"):  # does not apply to endpoint estimates
        del found["variance_type"]
    velocities = kind.takes == "epsilon" and config.get("prediction_type") == "v_prediction"
    return found | ({"prediction_type": "v_prediction"} if velocities else {})


def make_scheduler(name: str, schedule: Any, **options: Any) -> Any:
    """Create a diffusers scheduler for endpoint estimates (PNDM: predictions), on the noise schedule of a network.

    Args:
        name: a key of `SAMPLERS`, with levels of its scheduler.
        schedule: a diffusers scheduler with betas, or its configuration: the noise schedule is taken from it, nothing else.
        options: further settings of the scheduler class (`timestep_spacing`, `clip_sample`, ...).

    Raises:
        ValueError: an unknown sampler, or `clip_sample` for one that cannot clip.
    """
    kind = kind_of(name)
    config = getattr(schedule, "config", schedule)
    if config.get("rescale_betas_zero_snr"):
        raise families.UnknownPathError(families.ZERO_TERMINAL_SNR)
    betas = {key: config[key] for key in SCHEDULE_KEYS if key in config}
    return _class_of(kind)(**betas, **_settings(kind, options))


def on_grid(name: str, grid: NoiseGrid, **options: Any) -> Any:
    """Create a diffusers scheduler that visits the levels of a grid, at its step 0.

    Args:
        name: a key of `SAMPLERS`.
        grid: N + 1 levels, the last without noise.
        options: as for `make_scheduler`; those that spread the steps do not count.

    Raises:
        ValueError: an unknown sampler, or a grid that ends with noise.
    """
    kind = kind_of(name)
    require_image(grid)
    ratios = grid.sigma / grid.alpha
    options = {key: value for key, value in options.items() if key not in SPACING_KEYS}
    on = _on_table if kind.tabled else _on_path if kind.takes == "velocity" else _on_ratios
    return on(kind, ratios, options)


def require_image(grid: NoiseGrid) -> None:
    """Check that a grid ends with the image.

    Raises:
        ValueError: it ends with noise.
    """
    if grid.sigma[-1] != 0:
        raise ValueError(f"a sampler's grid ends at sigma = 0, not at {grid.sigma[-1]}")


def _on_table(kind: SamplerKind, ratios: NDArray[np.float64], options: dict[str, Any]) -> Any:
    """Create a scheduler whose time t is the t-th level from the image."""
    steps = len(ratios) - 1
    scheduler = _class_of(kind)(num_train_timesteps=steps, timestep_spacing="leading", **_settings(kind, options))
    scheduler.alphas_cumprod = torch.from_numpy(1.0 / (1.0 + ratios[-2::-1] ** 2))
    scheduler.set_timesteps(steps)
    return scheduler


def _on_path(kind: SamplerKind, ratios: NDArray[np.float64], options: dict[str, Any]) -> Any:
    """Create a scheduler of the given order that lists alpha and sigma of each level."""
    scheduler = _class_of(kind)(**_settings(kind, options))
    scheduler.set_timesteps(len(ratios) - 1)
    scheduler.alphas, scheduler.betas = torch.tensor([vp_level(ratio) for ratio in ratios], dtype=torch.float64).T
    scheduler.ets = deque(maxlen=kind.order)  # a step is of the order of its history, at most four
    scheduler.set_begin_index(0)
    return scheduler


def _on_ratios(kind: SamplerKind, ratios: NDArray[np.float64], options: dict[str, Any]) -> Any:
    steps = len(ratios) - 1
    ratios = np.append(ratios[:-1], kind.least)
    scheduler = _class_of(kind)(**_settings(kind, options))
    scheduler.set_timesteps(max(steps, 2))
    scheduler.num_inference_steps = steps
    times = np.arange(steps, 0, -1, dtype=np.float32)
    if kind.corrects == "every":  # Heun's scheduler lists every level twice except the first and the last
        ratios, times = _doubled(ratios), _doubled(np.append(times, 0.0))[:-1]
    scheduler.sigmas, scheduler.timesteps = torch.from_numpy(ratios), torch.from_numpy(times)
    scheduler.set_begin_index(0)
    return scheduler


def _doubled(values: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([values[:1], np.repeat(values[1:-1], 2), values[-1:]])


def own_grid(name: str, steps: int, schedule: Any, **options: Any) -> NoiseGrid:
    """Return the N + 1 levels of a sampler's own grid: those of diffusers' scheduler, else those of the network.

    Args:
        name: a key of `SAMPLERS`.
        steps: number of steps N.
        schedule: the network's diffusers scheduler or its configuration.
        options: as for `make_scheduler`; those that spread the steps count.

    Raises:
        ValueError: an unknown sampler, or a number of steps that the schedule cannot give.
    """
    kind, network = kind_of(name), schedule_of(schedule)
    _settings(kind, options)  # refuses clipping
    if kind.levels == "karras":
        return karras_grid(network, steps)
    if kind.levels == "network" or not isinstance(network, VariancePreservingSchedule):
        return network.grid(steps)
    scheduler = make_scheduler(name, schedule, **options)
    if not 1 <= steps <= scheduler.config.num_train_timesteps:
        raise ValueError(
            f"{name} cannot take {steps} steps: the network knows {scheduler.config.num_train_timesteps} times"
        )
    scheduler.set_timesteps(steps)
    if scheduler.timesteps.max() > scheduler.config.num_train_timesteps - 1:
        raise ValueError(
            f"{name} cannot take {steps} steps: its grid would begin at a time that the network does not know"
        )
    grid = _table_grid(name, scheduler, steps) if kind.tabled else _ratio_grid(kind, scheduler)
    if (np.diff(grid.angle) >= 0).any():
        raise ValueError(f"{name} cannot take {steps} steps: its grid would visit a time twice; take fewer steps")
    return grid


def start_scale(name: str, steps: int, schedule: Any, grid: NoiseGrid, **options: Any) -> float:
    """Compute the factor from standard normal noise to the state at step 0, as in the sampler's scheduler.

    Args:
        name, steps, schedule, options: as for `own_grid`.
        grid: result of `own_grid`.
    """
    kind, first = kind_of(name), grid[0]
    if kind.levels == "scheduler" and isinstance(schedule_of(schedule), VariancePreservingSchedule):
        scheduler = make_scheduler(name, schedule, **options)
        scheduler.set_timesteps(steps)
        return float(scheduler.init_noise_sigma) * (first.alpha if kind.scaled else 1.0)
    return spread(first)


def spread(level: NoiseLevel) -> float:
    """Compute the standard deviation of a nearly pure noise state: sigma for EDM, else sqrt(alpha^2 + sigma^2)."""
    return level.sigma if level.alpha == 1.0 else float(np.hypot(*level))


def _ratio_grid(kind: SamplerKind, scheduler: Any) -> NoiseGrid:
    ratios = scheduler.sigmas.double().tolist()
    ratios = [ratios[0], *ratios[1:-1:2], ratios[-1]] if kind.corrects == "every" else ratios
    ratios = [*ratios[:-1], 0.0] if kind.least else ratios  # such a scheduler ends at the first level of training
    return NoiseGrid.of([vp_level(ratio) for ratio in ratios])


def _table_grid(name: str, scheduler: Any, steps: int) -> NoiseGrid:
    times = sorted(set(scheduler.timesteps.tolist()), reverse=True)
    if SAMPLERS[name].strides:
        _require_even_steps(name, scheduler, times, steps)
    alpha = np.sqrt(np.array([*(float(scheduler.alphas_cumprod[time]) for time in times), 1.0], np.float64))
    return NoiseGrid(alpha, np.sqrt(1.0 - alpha**2))


def _require_even_steps(name: str, scheduler: Any, times: list[int], steps: int) -> None:
    """Check that a grid moves by T // N times at each step, as diffusers' DDIM and PNDM always do."""
    total = scheduler.config.num_train_timesteps
    stride = total // steps
    if any(time - stride != following for time, following in pairwise(times)) or times[-1] >= stride:
        spacing, label = scheduler.config.timestep_spacing, SAMPLERS[name].label
        raise ValueError(
            f"{name} cannot take {steps} of {total} times with the spacing {spacing!r}: diffusers' {label} moves by {stride} "
            f"times at each step, its grid does not; use the spacing leading, or trailing with steps that divide {total}"
        )
