"""Estimate the network calls of a text-to-image study's jobs from the study file.

A network call is one evaluation on one latent (NFE); an estimate with guidance takes two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from underpainting.samplers import registry
from underpainting_workflow.studies.text_to_image import teleport_files
from underpainting_workflow.studies.text_to_image.denoiser import FolderModel, HubModel
from underpainting_workflow.studies.text_to_image.files import run_of
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy
from underpainting_workflow.studies.text_to_image.sampling import Run, scale_name

Wildcards = Mapping[str, str]
_PACKED = 0.9  # compression ratio of noisy float32 latents


def is_large(study: TextToImageStudy) -> bool:
    """Return whether the model may be as large as Stable Diffusion: it is none that the workflow trains."""
    return isinstance(study.denoiser, FolderModel | HubModel)


def latent_values(study: TextToImageStudy) -> int:
    """Return the number of values of a latent, or that of Stable Diffusion where it is not known."""
    return 4 * 64 * 64 if is_large(study) else 4 * 8 * 8


def images(study: TextToImageStudy) -> int:
    """Return the number of images of a sampler and scale: prompts times seeds."""
    return len(study.prompts) * study.trajectories.seeds


def longest(study: TextToImageStudy) -> int:
    """Return the most steps of a sampler."""
    return max(run.sampler.steps for run in study.trajectories.runs)


def calls(run: Run) -> int:
    """Return the network calls per image of a sampler with a scale."""
    return registry.calls(run.sampler.name, run.sampler.steps) * (2 if run.guidance > 1 else 1)


def network_calls(rule: str, study: TextToImageStudy, wildcards: Wildcards) -> int:
    """Return the network calls of a job over all its images; 0 for rules that do not sample."""
    count = _CALLS.get(rule)
    return count(study, wildcards) if count else 0


def _trajectory_calls(study: TextToImageStudy, wildcards: Wildcards) -> int:
    return images(study) * calls(run_of(study, wildcards["sampler"], wildcards["scale"]))


def _perturbation_calls(study: TextToImageStudy, wildcards: Wildcards) -> int:
    return _perturbed(study) * (2 if run_of(study, wildcards["sampler"], wildcards["scale"]).guidance > 1 else 1)


def _perturbed(study: TextToImageStudy) -> int:
    """Return the estimates of the perturbed trajectories of the main sampler with one scale."""
    sampler, stage = study.trajectories.main.sampler, study.perturbation
    directions = len(stage.numbers(sampler.steps)) + stage.random
    walks = min(stage.prompts, len(study.prompts)) * min(stage.seeds, study.trajectories.seeds)
    calls = sum(registry.calls(sampler.name, sampler.steps - step) for step in stage.steps(sampler.steps))
    return walks * (1 + 2 * directions * len(stage.strengths)) * calls


def stored_bytes(rule: str, study: TextToImageStudy, wildcards: Wildcards) -> int | None:
    """Estimate the bytes of a job's outputs that grow with prompts and seeds; None for other rules."""
    if rule != "sample_latent_trajectories":
        return None
    steps = run_of(study, wildcards["sampler"], wildcards["scale"]).sampler.steps
    return round(2 * (steps + 1) * images(study) * 4 * latent_values(study) * _PACKED)


def _jump_calls(study: TextToImageStudy, wildcards: Wildcards) -> int:
    sweep, names = teleport_files.stage(study), (wildcards["scale"], wildcards["sampler"], wildcards["way"])
    scale, sampler, way = teleport_files.run_of(study, *names)
    return sweep.images * sweep.calls(sampler.name, way, scale)


def _solution_calls(study: TextToImageStudy, wildcards: Wildcards) -> int:
    sweep, solution = teleport_files.stage(study), teleport_files.stage(study).solution
    estimates = len(sweep.prompts) * solution.seeds * registry.calls("heun", solution.steps)
    return estimates * (1 if wildcards["scale"] == scale_name(1) else 2)


_CALLS: dict[str, Callable[[TextToImageStudy, Wildcards], int]] = {
    "sample_latent_trajectories": _trajectory_calls,
    "perturb_latents": _perturbation_calls,
    "sample_latent_teleport": _jump_calls,
    "solve_latents": _solution_calls,
}


def largest(rule: str, study: TextToImageStudy) -> int:
    """Return the network calls of the largest job of a rule, over all its images."""
    if rule == "perturb_latents":
        return 2 * _perturbed(study)
    if rule == "sample_latent_trajectories":
        return images(study) * max(map(calls, study.trajectories.runs))
    if study.teleport is None or rule not in _CALLS:
        return 0
    sweep = study.teleport
    if rule == "solve_latents":
        return _solution_calls(study, {"scale": scale_name(max(sweep.guidance))})
    return sweep.images * max(sweep.calls(sampler.name, way, scale) for scale, sampler, way in sweep.runs())
