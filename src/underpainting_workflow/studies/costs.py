"""Estimate the costs of a study's jobs from the study file: network calls, training, bytes.

Pure functions of a rule's name, the study and the job's wildcards. A network call is one evaluation on one image (NFE);
a call on a batch of 256 images counts as 256. Bytes are those of large files; sizes of small files, and sizes that
depend on the images, are not estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from underpainting.samplers import registry
from underpainting_workflow.studies.denoiser import OwnDenoiser, TrainedDenoiser
from underpainting_workflow.studies.files import solution
from underpainting_workflow.studies.files.stages import main_first
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import (
    ClassifierExtractor,
    SamplerChoice,
    TeleportConfig,
    TrajectoriesConfig,
)

Wildcards = Mapping[str, str]

BACKWARD = 3
"""Network calls that cost as much as a training step on an image: one forward, two for the backward pass."""
INCEPTION_FEATURES = 2048
# measured compression ratios of noisy float32 images, and of features, which are float32 stored as float64
_PACKED_IMAGES, _PACKED_FEATURES = 0.9, 0.57
_SHOWN, _LEVELS = 16, 2_000  # images stored of each level; bytes that locate them
_ENVELOPE = 5_500  # bytes of an artifact's names, attributes and small arrays
_FEWER_ARRAYS = 2_700  # bytes less where there are two arrays in all


def calls(choice: SamplerChoice, begin: int = 0) -> int:
    """Return the network calls per image (NFE) of a sampler that begins at a step."""
    return registry.calls(choice.name, choice.steps - begin)


def network_calls(rule: str, study: Study, wildcards: Wildcards) -> int:
    """Return the network calls of a job over all its images; 0 for rules that do not sample."""
    count = _CALLS.get(rule)
    return count(study, wildcards) if count else 0


def images_trained(rule: str, study: Study, wildcards: Wildcards) -> int:
    """Return the number of images on which a job trains the network, each counted every time it is used."""
    if rule == "train_form" and isinstance(study.denoiser, OwnDenoiser):
        return int(wildcards["steps"]) * study.denoiser.training.batch_size
    if rule != "train_denoiser" or not isinstance(study.denoiser, TrainedDenoiser):
        return 0
    return study.denoiser.training.steps * study.denoiser.training.batch_size


def stored_bytes(rule: str, study: Study, wildcards: Wildcards) -> int | None:
    """Estimate the bytes of a job's outputs, within a factor of about 1.6; None if unknown."""
    count = _BYTES.get(rule)
    return round(count(study, wildcards)) + _ENVELOPE if count else None


def seeds(wildcards: Wildcards) -> int:
    """Return the number of images of a shard."""
    return int(wildcards["stop"]) - int(wildcards["first"])


def _chosen(stage: TrajectoriesConfig | TeleportConfig, wildcards: Wildcards) -> SamplerChoice:
    return next(choice for choice in stage.samplers if choice.id == wildcards["sampler"])


def _trajectory_calls(study: Study, wildcards: Wildcards) -> int:
    return seeds(wildcards) * calls(_chosen(study.trajectories, wildcards))


def _teleport_calls(study: Study, wildcards: Wildcards) -> int:
    return seeds(wildcards) * calls(_chosen(study.teleport, wildcards), int(wildcards["skipped_steps"]))


def _solution_calls(study: Study, _: Wildcards) -> int:
    return study.teleport.solution.seeds * registry.calls("heun", study.teleport.solution.steps)


def _jump_solution_calls(study: Study, _: Wildcards) -> int:
    chosen = solution.seeds(study)
    own = [steps for *_, steps in solution.truncated(study)]
    landed = [steps for entry in solution.landed("", study) for steps in entry.steps.values()]
    both = len(set(chosen).intersection(study.low_nfe.seed_range)) if study.low_nfe else 0
    return sum(
        count * registry.calls("heun", steps) for count, part in ((len(chosen), own), (both, landed)) for steps in part
    )


def _low_nfe_calls(study: Study, wildcards: Wildcards) -> int:
    if study.low_nfe is None:
        return 0
    each = registry.calls(wildcards["sampler_name"], int(wildcards["steps"]))
    return seeds(wildcards) * each * len(study.low_nfe.skipped_percent(wildcards["jump"]))


def _shortfall_calls(study: Study, _: Wildcards) -> int:
    return study.planner.images * study.planner.levels


def _perturbation_calls(study: Study, wildcards: Wildcards) -> int:
    """Count the calls of a trajectory to the last perturbation, and of a pair from each perturbation and direction."""
    settings, choice = study.perturbation, _chosen(study.trajectories, wildcards)
    steps = settings.steps(choice.steps)
    plain = calls(choice) - calls(choice, steps[-1]) + 1
    directions = len(settings.components) + settings.random + settings.off_manifold
    return settings.seeds * (plain + 2 * directions * sum(calls(choice, step) for step in steps))


def _score_calls(study: Study, _: Wildcards) -> int:
    images = min(study.score.images, study.dataset.limit or study.score.images)
    return len(study.score.ratios) * images


def _early_checkpoints_calls(study: Study, wildcards: Wildcards) -> int:
    """Count the calls for the trained network's images, and for those of every checkpoint with and without the jump."""
    if not isinstance(study.denoiser, TrainedDenoiser):
        return 0
    choice = _chosen(study.teleport, wildcards)
    jump = max(1, int(study.early_checkpoints.skipped_fraction * choice.steps))
    networks = len({*study.denoiser.training.snapshots, study.denoiser.training.steps})
    return study.early_checkpoints.seeds * (calls(choice) + networks * (calls(choice) + calls(choice, jump)))


def _residual_calls(study: Study, _: Wildcards) -> int:
    """Count the calls of the main sampler for the images of all networks of one form and seed."""
    if study.residual is None:
        return 0
    return len(study.residual.training_steps) * study.residual.images * calls(main_first(study.teleport)[0])


def _image_bytes(study: Study) -> float:
    """Estimate the bytes of one compressed image."""
    return 4 * study.dataset.channels * study.dataset.image_size**2 * _PACKED_IMAGES


def _trajectory_bytes(study: Study, wildcards: Wildcards) -> float:
    """Estimate the bytes of states and endpoint estimates at every level."""
    levels = _chosen(study.trajectories, wildcards).steps + 1
    return 2 * levels * seeds(wildcards) * _image_bytes(study)


def _sample_bytes(study: Study, wildcards: Wildcards) -> float:
    return seeds(wildcards) * _image_bytes(study)


def _feature_bytes(study: Study, wildcards: Wildcards) -> float:
    extractor = study.teleport.extractor
    features = extractor.features if isinstance(extractor, ClassifierExtractor) else INCEPTION_FEATURES
    return 8 * (features + study.teleport.autoencoder.features) * seeds(wildcards) * _PACKED_FEATURES


def _low_nfe_bytes(study: Study, wildcards: Wildcards) -> float:
    """Estimate the bytes of features, and of the first images stored as bytes."""
    jumps = len(study.low_nfe.skipped_percent(wildcards["jump"])) if study.low_nfe else 0
    shown = min(_SHOWN, seeds(wildcards)) * _image_bytes(study) / 4
    return jumps * (_feature_bytes(study, wildcards) + shown) + _LEVELS


def _jump_bytes(study: Study, wildcards: Wildcards) -> float:
    jumps = len(study.low_nfe.skipped_percent(wildcards["jump"])) if study.low_nfe else 0
    return jumps * _sample_bytes(study, wildcards)


_CALLS: dict[str, Callable[[Study, Wildcards], int]] = {
    "sample_trajectories": _trajectory_calls,
    "sample_teleport": _teleport_calls,
    "solve_flow": _solution_calls,
    "solve_jumps": _jump_solution_calls,
    "sample_low_nfe": _low_nfe_calls,
    "measure_shortfall": _shortfall_calls,
    "perturb_trajectories": _perturbation_calls,
    "explain_score": _score_calls,
    "measure_early_checkpoints": _early_checkpoints_calls,
    "measure_residual": _residual_calls,
}
_BYTES: dict[str, Callable[[Study, Wildcards], float]] = {
    "sample_trajectories": _trajectory_bytes,
    "sample_teleport": _sample_bytes,
    "solve_flow": lambda study, _: study.teleport.solution.seeds * _image_bytes(study) - _FEWER_ARRAYS,
    "extract_features": _feature_bytes,
    "sample_low_nfe": _low_nfe_bytes,
    "jump_ahead": _jump_bytes,
}
