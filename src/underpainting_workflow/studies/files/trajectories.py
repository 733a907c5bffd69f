"""Trajectories, and what is measured on them."""

from __future__ import annotations

from underpainting_workflow.studies.files import stages
from underpainting_workflow.studies.models import Study


def of_sampler(name: str, study: Study, sampler: str, seeds: range | None = None) -> list[str]:
    """The shards of a sampler's trajectories."""
    pattern = f"results/{name}/trajectories/{sampler}/seeds_{{first}}-{{stop}}.zarr.zip"
    return stages.shards(pattern, study.trajectories, seeds)


def of_all(name: str, study: Study) -> list[str]:
    """Every shard of every sampler."""
    return [file for choice in study.trajectories.samplers for file in of_sampler(name, study, choice.id)]


def of_main(kind: str, name: str, study: Study, ending: str = "zarr.zip") -> str:
    """The artifact of a kind (`emergence`, `perturbation`, `retrieval`, `young`) of the headline sampler."""
    stage = study.teleport if kind == "young" else study.trajectories
    return f"results/{name}/{kind}/{stages.main_sampler(stage)}.{ending}"


def of_samplers(kind: str, name: str, study: Study) -> list[str]:
    """One artifact of a kind (`geometry`) per sampler, the headline sampler's first."""
    return [f"results/{name}/{kind}/{choice.id}.zarr.zip" for choice in stages.headline_first(study.trajectories)]
