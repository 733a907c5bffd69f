"""The sweep over skips on a sampler's own grid (the design "truncate"), and networks from early in the training."""

from __future__ import annotations

from underpainting.studies.denoiser import TrainedDenoiser
from underpainting.studies.files import stages
from underpainting.studies.models import Study


def score_settings(study: Study) -> dict[str, int]:
    """How distances between features are measured."""
    return study.teleport.model_dump(include={"kid_subset_size", "kid_subsets", "neighbourhood", "neighbours_among"})


def fidelity_settings(study: Study) -> dict[str, object]:
    """How distances between features are measured, and their intervals."""
    return {"scores": score_settings(study), "resamples": study.teleport.resamples}


def has_young(study: Study) -> bool:
    """Are there networks from early in the training?"""
    return isinstance(study.denoiser, TrainedDenoiser) and bool(study.denoiser.training.snapshots)


def folder(name: str, sampler: str, skip: int | str) -> str:
    """The folder of one sampler and skip of the sweep."""
    return f"results/{name}/teleport/{sampler}/skip_{skip}"


def samples(skip: int | str, name: str = "{study}", sampler: str = "{sampler}") -> str:
    """The sample shards of one skip, with `{first}` and `{stop}` to be filled in, and what else is not given."""
    return folder(name, sampler, skip) + "/samples/seeds_{first}-{stop}.zarr.zip"


def features(name: str, study: Study, sampler: str, skip: int | str) -> list[str]:
    """The feature shards of one sampler and skip."""
    return stages.shards(folder(name, sampler, skip) + "/features/seeds_{first}-{stop}.zarr.zip", study.teleport)


def plain_features(name: str, study: Study, sampler: str, skip: str) -> list[str]:
    """The feature shards of a sampler without a jump, where a skip is compared with them."""
    return features(name, study, sampler, 0) if int(skip) and 0 in study.teleport.skips else []


def rows(name: str, study: Study) -> list[str]:
    """The fidelity of every sampler and skip."""
    sweep = study.teleport
    return [folder(name, choice.id, skip) + "/fidelity.json" for choice in sweep.samplers for skip in sweep.skips]
