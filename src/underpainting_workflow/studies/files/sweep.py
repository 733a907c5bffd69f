"""The sweep over skips on a sampler's own grid (the design "truncate"), and networks from early in the training."""

from __future__ import annotations

from underpainting_workflow.studies.denoiser import TrainedDenoiser
from underpainting_workflow.studies.files import solution, stages
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import TeleportConfig

JUMPS = {"teleport": "gaussian", "null": "isotropic"}
"""The jump of the sweep, and that of its null model."""


def score_settings(study: Study) -> dict[str, int]:
    """How distances between features are measured."""
    return study.teleport.model_dump(include={"kid_subset_size", "kid_subsets", "neighbourhood", "neighbours_among"})


def fidelity_settings(study: Study) -> dict[str, object]:
    """How distances between features are measured, and their intervals."""
    return {"scores": score_settings(study), "resamples": study.teleport.resamples}


def has_early_checkpoints(study: Study) -> bool:
    """Are there networks from early in the training?"""
    return isinstance(study.denoiser, TrainedDenoiser) and bool(study.denoiser.training.snapshots)


def folder(name: str, sampler: str, skip: int | str, sweep: str = "teleport") -> str:
    """The folder of one sampler and skip of the sweep, or of its null model's (`null`)."""
    return f"results/{name}/{sweep}/{sampler}/skip_{skip}"


def samples(skip: int | str, name: str = "{study}", sampler: str = "{sampler}", sweep: str = "teleport") -> str:
    """The sample shards of one skip, with `{first}` and `{stop}` to be filled in, and what else is not given."""
    return folder(name, sampler, skip, sweep) + "/samples/seeds_{first}-{stop}.zarr.zip"


def stage(study: Study, sweep: str) -> TeleportConfig:
    """The seeds and shards of the sweep, or of its null model's."""
    return study.teleport if sweep == "teleport" else study.teleport.null


def features(name: str, study: Study, sampler: str, skip: int | str, sweep: str = "teleport") -> list[str]:
    """The feature shards of one sampler and skip."""
    pattern = folder(name, sampler, skip, sweep) + "/features/seeds_{first}-{stop}.zarr.zip"
    return stages.shards(pattern, stage(study, sweep))


def plain_features(name: str, study: Study, sampler: str, skip: str, sweep: str = "teleport") -> list[str]:
    """The feature shards of a sampler without a jump, where a skip is compared with them: those with any of its seeds."""
    if not int(skip) or 0 not in study.teleport.skips:
        return []
    pattern = folder(name, sampler, 0) + "/features/seeds_{first}-{stop}.zarr.zip"
    seeds = stage(study, sweep).seed_range
    return stages.shards(pattern, study.teleport, seeds)


def solved_samples(name: str, study: Study, sampler: str, skip: str, sweep: str = "teleport") -> list[str]:
    """The sample shards with any of the seeds for which the network's own images are solved; none of a stochastic sampler."""
    choice = next(choice for choice in study.teleport.samplers if choice.id == sampler)
    if choice.kind.stochastic:
        return []
    return stages.shards(samples(skip, name, sampler, sweep), stage(study, sweep), solution.seeds(study))


def plain_samples(name: str, study: Study, sampler: str, skip: str) -> list[str]:
    """Those of the same sampler without a jump, where a skip is compared with them."""
    return solved_samples(name, study, sampler, "0") if int(skip) and 0 in study.teleport.skips else []


def rows(name: str, study: Study) -> list[str]:
    """The fidelity of every sampler and skip."""
    sweep = study.teleport
    own = [folder(name, choice.id, skip) + "/fidelity.json" for choice in sweep.samplers for skip in sweep.skips]
    null = [
        folder(name, choice.id, skip, "null") + "/fidelity.json"
        for choice in sweep.samplers
        for skip in sweep.skips
        if skip
    ]
    return own + null
