"""Estimate the memory and time that jobs request from a scheduler, as functions of the study.

Memory is that of a stage's arrays and a network's feature maps, besides Python and its packages; time is the number of
network calls times their cost. Both are upper estimates, not exact: a retry requests more, and no result depends on
them. The factors were measured on the shipped studies; `underpainting efficiency` compares requested with used
resources.

The Snakefile imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from underpainting_workflow.studies import costs
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sizes import MIB, components, expected_images, image_values, map_values, sizes

LEAST_MINUTES = 10
GPU_WORTH = 100  # processor cores; a modern one is worth more

_PROCESS = 1300.0  # MiB of a process with torch and diffusers, and of the two Snakemakes around it in a cluster's job
_SECONDS_PER_VALUE = 1e-6  # of a network call on one core, per value of a feature map of the first level
_MARGIN = 3.0  # of time
_TRAINING_PASSES = 1.5  # per training image; the margin covers more passes

# Multiples of each of `sizes` that a rule holds, besides a process with torch.
_HOLDS: dict[str, dict[str, float]] = {
    "prepare_dataset": {"read": 1},
    "train_denoiser": {"training": 1, "weights": 6, "stored": 2, "gaussian": 2},
    "fetch_denoiser": {"weights": 3},
    "estimate_moments": {"scatter": 1},
    "decompose_covariance": {"solve": 1},
    "fit_mixture": {"fit": 1, "modes": 2},
    "sample_trajectories": {"call": 1, "weights": 1, "shard": 3, "samplers": 3},
    "sample_teleport": {"call": 1, "weights": 1, "basis": 2, "sweep": 20},
    "compare_with_theory": {"blocks": 1, "basis": 2, "modes": 3, "stored": 1, "shard": 4},
    "measure_geometry": {"shard": 7},
    "measure_emergence": {"basis": 2, "shard": 7},
    "perturb_trajectories": {"call": 1, "weights": 1, "basis": 2, "shard": 4},
    "explain_score": {"blocks": 1, "call": 1, "weights": 1, "basis": 2, "modes": 3, "stored": 2},
    "measure_retrieval": {"blocks": 1, "stored": 2, "shard": 1},
    "measure_early_checkpoints": {"extractor": 1, "call": 1, "weights": 1, "basis": 2, "sweep": 24},
    "train_form": {"training": 1, "weights": 6, "stored": 2, "basis": 2},
    "measure_residual": {"extractor": 1, "call": 1, "weights": 1, "basis": 2, "sweep": 24, "stored": 2},
    "train_classifier": {"blocks": 1, "stored": 5},
    "train_autoencoder": {"blocks": 1, "stored": 5},
    "render_page": {"basis": 2, "shard": 4},
    "solve_flow": {"call": 1, "weights": 1, "sweep": 8},
    "solve_jumps": {"call": 1, "weights": 1, "basis": 2, "low_nfe": 24},
    "measure_shortfall": {"call": 1, "weights": 1, "basis": 3, "modes": 3, "stored": 1},
    "jump_ahead": {"basis": 2, "modes": 3, "low_nfe": 24},
    "sample_low_nfe": {"extractor": 1, "call": 1, "weights": 1, "low_nfe": 24, "samplers": 3},
    "measure_low_nfe": {"pairs": 4},
    "extract_features": {"extractor": 1, "sweep": 4},
    "extract_reference_features": {"extractor": 1, "sweep": 4, "stored": 5},
    "measure_fidelity": {"pairs": 4},
}


def memory(rule: str, study: Study, holds: Mapping[str, float] | None = None) -> int:
    """Estimate the memory of a job, in MiB.

    Args:
        rule: rule of the job.
        study: study of the job.
        holds: multiples of each of `sizes` that the job holds; those of the rule in this module if not given.
    """
    held = sizes(study)
    factors = _HOLDS.get(rule, {}) if holds is None else holds
    return math.ceil(_PROCESS + sum(factor * held[name] for name, factor in factors.items()))


def _evaluations(rule: str, study: Study) -> float:
    """Return the network calls of the largest job of a rule, over all its images."""
    if rule == "sample_low_nfe" and study.low_nfe:
        first, stop = study.low_nfe.shards[0]
        runs = [
            {"sampler_name": run.sampler_name, "steps": str(run.steps), "jump": run.jump}
            for run in study.low_nfe.runs()
        ]
        return max(costs.network_calls(rule, study, {**run, "first": str(first), "stop": str(stop)}) for run in runs)
    stage = study.teleport if rule in ("sample_teleport", "measure_early_checkpoints") else study.trajectories
    slowest = max(stage.samplers, key=costs.calls)
    first, stop = stage.shards[0]
    longest = study.residual.training_steps[-1] if study.residual else 0
    largest = {
        "sampler": slowest.id,
        "skipped_steps": "0",
        "first": str(first),
        "stop": str(stop),
        "steps": str(longest),
    }
    trained = _TRAINING_PASSES * costs.images_trained(rule, study, largest)
    return costs.network_calls(rule, study, largest) + trained


def _theory_seconds(rule: str, study: Study) -> float:
    """Estimate the seconds of computations on all images or on matrices of pixels, on one core."""
    pixels, count = image_values(study), expected_images(study)
    walked = min(study.trajectories.shard_size, study.trajectories.seeds)
    through = 1e-9 * pixels * count  # one pass over the pixels of the data set
    if rule == "compare_with_theory":
        return 40 * through * max(choice.steps for choice in study.trajectories.samplers) * max(1.0, walked / 16)
    if rule == "jump_ahead" and study.low_nfe:
        modes = sizes(study)["modes"] * MIB / 8
        return 2e-9 * modes * study.low_nfe.shard_size * 100 * len(study.low_nfe.jumps)
    if rule == "measure_low_nfe" and study.low_nfe:
        return 5.0 * len(study.low_nfe.runs())
    if rule == "decompose_covariance":
        passes = 20 * components(study) if study.eigenbasis.method == "randomized" else min(pixels, count) ** 2 / count
        return 60 + passes * through / 10
    if rule == "train_autoencoder":
        return 3e3 * through * study.teleport.autoencoder.epochs
    if rule == "train_classifier" and study.teleport.extractor.name == "classifier":
        return 3e3 * through * study.teleport.extractor.epochs
    factors = {
        "estimate_moments": pixels / 10 if study.eigenbasis.method == "dense" else 100.0,
        "fit_mixture": min(pixels, 3072) / 4,
        "measure_retrieval": 100.0,
        "explain_score": 4e3,
    }
    return factors.get(rule, 10.0) * through


def runtime(rule: str, study: Study) -> int:
    """Estimate the time of a job, in minutes."""
    speed = GPU_WORTH if study.device == "cuda" else 1
    seconds = _evaluations(rule, study) * map_values(study) * _SECONDS_PER_VALUE / speed + _theory_seconds(rule, study)
    return max(LEAST_MINUTES, math.ceil(_MARGIN * seconds / 60))
