"""Files of trajectories, and of measures on them."""

from __future__ import annotations

from underpainting_workflow.studies.files import stages
from underpainting_workflow.studies.models import Study


def of_sampler(name: str, study: Study, sampler: str, seeds: range | None = None) -> list[str]:
    """Return the shards of a sampler's trajectories, only those with any of `seeds` if given."""
    pattern = f"results/{name}/trajectories/{sampler}/seeds_{{first}}-{{stop}}.zarr.zip"
    return stages.shards(pattern, study.trajectories, seeds)


def basis(name: str, study: Study, sampler: str) -> list[str]:
    """Return the eigenbasis if a sampler needs it."""
    choice = next(choice for choice in study.trajectories.samplers if choice.id == sampler)
    return [f"results/{name}/eigenbasis.zarr.zip"] * choice.needs_basis


def of_all(name: str, study: Study) -> list[str]:
    """Return all trajectory shards of all samplers."""
    return [file for choice in study.trajectories.samplers for file in of_sampler(name, study, choice.id)]


def of_main(kind: str, name: str, study: Study, ending: str = "zarr.zip") -> str:
    """Return the artifact of a kind (`emergence`, `perturbation`, `retrieval`, `early_checkpoints`) of the main sampler."""
    stage = study.teleport if kind == "early_checkpoints" else study.trajectories
    return f"results/{name}/{kind}/{stages.main_sampler(stage)}.{ending}"


def of_samplers(kind: str, name: str, study: Study) -> list[str]:
    """Return one artifact of a kind (`geometry`) per sampler, the main sampler's first."""
    return [f"results/{name}/{kind}/{choice.id}.zarr.zip" for choice in stages.main_first(study.trajectories)]
