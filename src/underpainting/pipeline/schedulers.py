"""Which sampler of the library stands for a scheduler of diffusers."""

from __future__ import annotations

import inspect
from typing import Any

from underpainting.sampling import SAMPLERS, Sampler
from underpainting.sampling.schedulers import SCHEDULE_KEYS

# the noise schedule goes with the network, the prediction type is the denoiser's matter, clipping is a choice of the call
NOT_OPTIONS = (*SCHEDULE_KEYS, "prediction_type", "clip_sample", "rescale_betas_zero_snr")


def sampler_name(scheduler: Any) -> str:
    """The key in `sampling.SAMPLERS` of a scheduler's class.

    Raises:
        ValueError: no sampler uses that class.
    """
    names = {kind.scheduler: name for name, kind in reversed(SAMPLERS.items())}
    wanted = type(scheduler).__name__
    if wanted not in names:
        raise ValueError(
            f"the scheduler {wanted} has no sampler here; put one of {', '.join(sorted(names))} in its place, as in "
            "pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)"
        )
    return names[wanted]


def options(scheduler: Any) -> dict[str, Any]:
    """The settings of a scheduler that are not its class's defaults, its noise schedule apart."""
    parameters = inspect.signature(type(scheduler).__init__).parameters
    return {
        key: scheduler.config[key]
        for key, parameter in parameters.items()
        if key in scheduler.config and key not in NOT_OPTIONS and scheduler.config[key] != parameter.default
    }


def make_sampler(scheduler: Any, steps: int, clip: bool = False) -> Sampler:
    """The library's sampler with the settings of a scheduler.

    Args:
        scheduler: of diffusers.
        steps: number of steps.
        clip: whether endpoint estimates are clipped to [-1, 1], by schedulers that can.

    Raises:
        ValueError: no sampler uses the scheduler's class, or it cannot take so many steps.
    """
    clipping = {"clip_sample": True} if clip else {}
    return Sampler(sampler_name(scheduler), steps, scheduler, **options(scheduler), **clipping)
