"""Files and settings of the probability flow solution (the network's own images), from noise and after jumps."""

from __future__ import annotations

from typing import NamedTuple

from underpainting_workflow.studies.files import stages
from underpainting_workflow.studies.models import Study


class Landed(NamedTuple):
    """A jump of the sweep at low NFE: the files of its states, and the number of remaining steps, by skipped percentage."""

    jump: str
    files: list[str]
    steps: dict[int, int]


def seeds(study: Study) -> range:
    """Return the seeds for which the flow is solved."""
    return study.teleport.model_copy(update={"seeds": study.teleport.solution.seeds}).seed_range


def settings(study: Study) -> dict[str, object]:
    """Return the settings of the flow's solution."""
    chosen = seeds(study)
    return {
        "seeds": [chosen.start, chosen.stop],
        "steps": study.teleport.solution.steps,
        "batch_size": study.teleport.batch_size,
        "compute": study.compute(),
    }


def truncated(study: Study) -> list[tuple[str, int, int]]:
    """List (sampler, skipped steps, remaining steps) of every jump on a sampler's grid; none of a stochastic sampler."""
    return [
        (choice.id, skipped, study.teleport.solution.steps_after(skipped / choice.steps))
        for choice in study.teleport.samplers
        if not choice.kind.stochastic
        for skipped in study.teleport.skipped_steps
        if skipped
    ]


def landed(name: str, study: Study) -> list[Landed]:
    """List the jumps of the sweep at low NFE, with the shards that hold any of the seeds."""
    if study.low_nfe is None:
        return []
    pattern = f"results/{name}/jumps/{{jump}}/seeds_{{{{first}}}}-{{{{stop}}}}.zarr.zip"
    found = [
        Landed(
            jump.id,
            stages.shards(pattern.format(jump=jump.id), study.low_nfe, seeds(study)),
            {percent: study.teleport.solution.steps_after(percent / 100) for percent in jump.skipped_percent},
        )
        for jump in study.low_nfe.jumps
    ]
    return [entry for entry in found if entry.files]  # none if the sweeps have no seed in common


def landed_files(name: str, study: Study) -> list[str]:
    """Return the files of the states after the jumps of the sweep at low NFE, jump after jump."""
    return [file for entry in landed(name, study) for file in entry.files]


def jump_settings(study: Study) -> dict[str, object]:
    """Return the jumps after which the flow is solved, their numbers of steps, and the number of files of each jump."""
    return {
        "samplers": {choice.id: choice.model_dump() for choice in study.teleport.samplers},
        "truncated": [list(start) for start in truncated(study)],
        "landed": [[entry.jump, len(entry.files), list(entry.steps.items())] for entry in landed("", study)],
        "compute": study.compute(),
    }
