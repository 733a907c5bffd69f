"""Finds the library's sampler for a scheduler of diffusers, and the kind of its network."""

from __future__ import annotations

import inspect
from typing import Any

from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ipndm import IPNDMScheduler

from underpainting.noise import families
from underpainting.noise.families import Family
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.schedulers import SCHEDULE_KEYS

# settings of the noise schedule, which belong to the network, and the prediction type, which belongs to the denoiser
NOT_OPTIONS = (*SCHEDULE_KEYS, "prediction_type", "rescale_betas_zero_snr")
# schedulers of networks on other paths: settings that describe the network; any other would change the library's grid
NETWORK_KEYS = {
    "EDMEulerScheduler": ("sigma_min", "sigma_max", "sigma_data", "rho", "num_train_timesteps", "prediction_type"),
    "FlowMatchEulerDiscreteScheduler": ("num_train_timesteps",),
}


def network_kind(scheduler: Any) -> Family:
    """Return the family of the path on which a scheduler's network was trained.

    Raises:
        ValueError: the path is unknown.
    """
    described = with_noise_schedule(scheduler)
    return families.family_of_config({**described.config, "_class_name": type(described).__name__})


def with_noise_schedule(scheduler: Any) -> Any:
    """Return a scheduler with the network's noise schedule: itself, or DDIM's for iPNDM's, which only keeps the settings."""
    return DDIMScheduler.from_config(scheduler.config) if isinstance(scheduler, IPNDMScheduler) else scheduler


def sampler_name(scheduler: Any) -> str:
    """Find the first key in `registry.SAMPLERS` of a scheduler; Heun's on the levels of Karras et al. is `edmheun`.

    Raises:
        ValueError: no sampler uses its class.
    """
    plain = {kind.scheduler: name for name, kind in reversed(SAMPLERS.items()) if kind.levels != "karras"}
    names = plain | dict.fromkeys(NETWORK_KEYS, "euler")
    on_karras = {
        kind.scheduler: name for name, kind in SAMPLERS.items() if kind.levels == "karras" and not kind.stochastic
    }
    given = type(scheduler).__name__
    if given not in names:
        raise ValueError(
            f"the scheduler {given} has no sampler here; put one of {', '.join(sorted(names))} in its place, as in "
            "pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)"
        )
    return on_karras.get(given, names[given]) if scheduler.config.get("use_karras_sigmas") else names[given]


def default_of(key: str, parameter: inspect.Parameter) -> Any:
    """Return the library's default of a setting: that of the scheduler's class, except for clipping, which is off."""
    return False if key == "clip_sample" else parameter.default


def scheduler_options(scheduler: Any) -> dict[str, Any]:
    """Return the settings of a scheduler that differ from the library's defaults, except those of the network.

    Raises:
        ValueError: no sampler supports a setting.
    """
    name = type(scheduler).__name__
    parameters = inspect.signature(type(scheduler).__init__).parameters
    ignored = NETWORK_KEYS.get(name, NOT_OPTIONS)
    found = {
        key: scheduler.config[key]
        for key, parameter in parameters.items()
        if key in scheduler.config and key not in ignored and scheduler.config[key] != default_of(key, parameter)
    }
    if found and name in NETWORK_KEYS:
        settings = ", ".join(f"{key}={value!r}" for key, value in found.items())
        raise ValueError(f"{name} is known here with its own settings only; leave {settings} at the default")
    if str(found.get("algorithm_type", "")).startswith("sde"):
        raise ValueError(
            f"{name} with algorithm_type={found['algorithm_type']!r} draws noise that belongs to no seed; use 'dpmsolver++', "
            "or the stochastic samplers ddpm and edmchurn"
        )
    if found.get("final_sigmas_type") == "sigma_min":
        raise ValueError(f"{name} with final_sigmas_type='sigma_min' would leave noise in the images; use 'zero'")
    return found
