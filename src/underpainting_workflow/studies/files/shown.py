"""Select the seeds, files and labels that figures show."""

from __future__ import annotations

from underpainting.theory.theories import THEORIES
from underpainting_workflow.studies.files import stages, sweep, trajectories
from underpainting_workflow.studies.models import Study


def seed_of(study: Study) -> int:
    """Return the seed of the trajectory shown in figures."""
    given = study.figures.seed
    return study.trajectories.first_seed if given is None else given


def trajectory(name: str, study: Study) -> list[str]:
    """Return the main sampler's shard with the trajectory shown in figures."""
    seed = seed_of(study)
    return trajectories.of_sampler(name, study, stages.main_sampler(study.trajectories), range(seed, seed + 1))


def gallery_trajectories(name: str, study: Study) -> list[str]:
    """Return the main sampler's shards with the first seeds."""
    first = study.trajectories.first_seed
    seeds = range(first, first + study.figures.gallery)
    return trajectories.of_sampler(name, study, stages.main_sampler(study.trajectories), seeds)


def gallery_samples(name: str, study: Study) -> list[str]:
    """Return the shards with the first images of the sweep's main sampler, by increasing number of skipped steps."""
    stage = study.teleport
    seeds = range(stage.first_seed, stage.first_seed + study.figures.gallery)
    patterns = (sweep.samples(skipped, name, stages.main_sampler(stage)) for skipped in stage.skipped_steps)
    return [file for pattern in patterns for file in stages.shards(pattern, stage, seeds)]


def labels(study: Study) -> dict[str, str]:
    """Return the labels of the main sampler (`network`) and of the theories compared with it."""
    theories = {name: THEORIES[name].label for name in study.comparison.models}
    return {"network": stages.main_first(study.trajectories)[0].label, **theories}


def example_seed(study: Study) -> int:
    """Return the shown seed if the theories' endpoint estimates are kept for it (the first 8 seeds), else the first."""
    first, seed = study.trajectories.first_seed, seed_of(study)
    return seed if seed < first + min(8, study.figures.gallery) else first


def pair_of(study: Study) -> list[int]:
    """Return the shown seed and the next one, if any."""
    stage, seed = study.trajectories, seed_of(study)
    return [entry for entry in (seed, seed + 1) if entry < stage.first_seed + stage.seeds]


def pair_trajectories(name: str, study: Study) -> list[str]:
    """Return the main sampler's shards with the trajectories of the shown pair."""
    pair = pair_of(study)
    return trajectories.of_sampler(name, study, stages.main_sampler(study.trajectories), range(pair[0], pair[-1] + 1))
