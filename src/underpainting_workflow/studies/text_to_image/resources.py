"""Estimate the memory and time that the jobs of a text-to-image study request from a scheduler.

Upper estimates, as in `studies.resources`; a retry requests more, and no result depends on them. The Snakefile imports
this module, so it imports nothing heavy.
"""

from __future__ import annotations

import math

from underpainting_workflow.studies.resources import GPU_WORTH, LEAST_MINUTES
from underpainting_workflow.studies.text_to_image import costs
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

MIB = 2**20
_PROCESS = 1600.0  # MiB of a process with torch, diffusers and transformers
_WEIGHTS = {True: 6000.0, False: 200.0}  # MiB of Stable Diffusion 1.5 in float32, and of a model trained here
_WITHOUT_NETWORK = ("figure_", "tabulate_", "measure_", "prepare_", "fetch_")
_CALL = {True: 250.0, False: 2.0}  # MiB of the feature maps of a network call, per latent
_SECONDS = {True: 11.0, False: 0.003}  # of a network call, per latent, on one core
_MARGIN = 3.0


def memory(rule: str, study: TextToImageStudy) -> int:
    """Estimate the memory of a job, in MiB; arguments as in `studies.resources.memory`."""
    large = costs.is_large(study)
    states = 8 * costs.images(study) * (1 + costs.longest(study)) * costs.latent_values(study) / MIB
    networks = 2 * _WEIGHTS[large] + 2 * study.trajectories.batch_size * _CALL[large]
    held = _WEIGHTS[large] if rule.startswith(_WITHOUT_NETWORK) else networks
    return math.ceil(_PROCESS + held + 3 * states)


def runtime(rule: str, study: TextToImageStudy) -> int:
    """Estimate the time of a job, in minutes; arguments as in `studies.resources.runtime`."""
    speed = GPU_WORTH if study.device == "cuda" else 1
    seconds = costs.largest(rule, study) * _SECONDS[costs.is_large(study)] / speed
    return max(LEAST_MINUTES, math.ceil(_MARGIN * seconds / 60))
