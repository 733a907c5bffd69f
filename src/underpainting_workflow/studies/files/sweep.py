"""Files of the sweep over skipped steps on a sampler's grid (the design "truncate"), and settings of its measures."""

from __future__ import annotations

from underpainting_workflow.studies.denoiser import TrainedDenoiser
from underpainting_workflow.studies.files import solution, stages
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import TeleportConfig

JUMPS = {"teleport": "gaussian", "null": "isotropic"}
"""The jump of the sweep, and the jump of its null model."""


def score_settings(study: Study) -> dict[str, int]:
    """Return the settings of distances between features."""
    return study.teleport.model_dump(include={"kid_subset_size", "kid_subsets", "neighbourhood", "neighbours_among"})


def fidelity_settings(study: Study) -> dict[str, object]:
    """Return the settings of distances between features and of their intervals."""
    return {"scores": score_settings(study), "resamples": study.teleport.resamples}


def has_early_checkpoints(study: Study) -> bool:
    """Return whether the study has early checkpoints."""
    return isinstance(study.denoiser, TrainedDenoiser) and bool(study.denoiser.training.snapshots)


def folder(name: str, sampler: str, skipped_steps: int | str, sweep: str = "teleport") -> str:
    """Return the folder of one sampler and number of skipped steps, or of the null model's sweep (`null`)."""
    return f"results/{name}/{sweep}/{sampler}/skipped_{skipped_steps}"


def samples(
    skipped_steps: int | str, name: str = "{study}", sampler: str = "{sampler}", sweep: str = "teleport"
) -> str:
    """Return the path of the sample shards, with placeholders `{first}`, `{stop}` and for missing arguments."""
    return folder(name, sampler, skipped_steps, sweep) + "/samples/seeds_{first}-{stop}.zarr.zip"


def stage(study: Study, sweep: str) -> TeleportConfig:
    """Return the section of the sweep, or of the null model's sweep, with its seeds and shards."""
    return study.teleport if sweep == "teleport" else study.teleport.null


def features(name: str, study: Study, sampler: str, skipped_steps: int | str, sweep: str = "teleport") -> list[str]:
    """Return the feature shards of one sampler and number of skipped steps."""
    pattern = folder(name, sampler, skipped_steps, sweep) + "/features/seeds_{first}-{stop}.zarr.zip"
    return stages.shards(pattern, stage(study, sweep))


def plain_features(name: str, study: Study, sampler: str, skipped_steps: str, sweep: str = "teleport") -> list[str]:
    """Return a sampler's feature shards without a jump for comparison with a jump: those with any of its seeds."""
    if not int(skipped_steps) or 0 not in study.teleport.skipped_steps:
        return []
    pattern = folder(name, sampler, 0) + "/features/seeds_{first}-{stop}.zarr.zip"
    seeds = stage(study, sweep).seed_range
    return stages.shards(pattern, study.teleport, seeds)


def solved_samples(name: str, study: Study, sampler: str, skipped_steps: str, sweep: str = "teleport") -> list[str]:
    """Return the sample shards with any of the seeds for which the flow is solved; none of a stochastic sampler."""
    choice = next(choice for choice in study.teleport.samplers if choice.id == sampler)
    if choice.kind.stochastic:
        return []
    return stages.shards(samples(skipped_steps, name, sampler, sweep), stage(study, sweep), solution.seeds(study))


def plain_samples(name: str, study: Study, sampler: str, skipped_steps: str) -> list[str]:
    """Return the same sampler's shards without a jump, for comparison with a jump."""
    return solved_samples(name, study, sampler, "0") if int(skipped_steps) and 0 in study.teleport.skipped_steps else []


def rows(name: str, study: Study) -> list[str]:
    """Return the fidelity files of all samplers and numbers of skipped steps."""
    sweep = study.teleport
    own = [
        folder(name, choice.id, skipped) + "/fidelity.json"
        for choice in sweep.samplers
        for skipped in sweep.skipped_steps
    ]
    null = [
        folder(name, choice.id, skipped, "null") + "/fidelity.json"
        for choice in sweep.samplers
        for skipped in sweep.skipped_steps
        if skipped
    ]
    return own + null
