"""Files of moments, of theories, and of their comparison with trajectories."""

from __future__ import annotations

from collections.abc import Iterable

from underpainting.theory.theories import THEORIES
from underpainting_workflow.studies.files import stages, sweep, trajectories
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import ClassifierExtractor

Files = str | list[str]


def comparisons(name: str, study: Study) -> list[str]:
    """Return the files of the Gaussian's errors for every sampler, the main sampler's first."""
    samplers = stages.main_first(study.trajectories)
    return [f"results/{name}/comparison/{choice.id}/gaussian.zarr.zip" for choice in samplers]


def models_compared(name: str, study: Study) -> list[str]:
    """Return the files of every theory's errors for the main sampler, in the order of `comparison.models`."""
    folder = f"results/{name}/comparison/{stages.main_sampler(study.trajectories)}"
    return [f"{folder}/{model}.zarr.zip" for model in study.comparison.models]


def models(name: str, study: Study, kinds: Iterable[str], given: Iterable[str] = ("eigenbasis",)) -> dict[str, Files]:
    """Return the files of theories and jumps, by the kind of artifact, without the kinds in `given`."""
    samples = stages.shards(sweep.samples(0, name, stages.main_sampler(study.teleport)), study.teleport)
    return {
        kind: samples if kind == "samples" else f"results/{name}/{kind}.zarr.zip"
        for kind in sorted({*kinds}.difference(given))
    }


def inputs(name: str, study: Study, model: str) -> dict[str, Files]:
    """Return the files of a theory, besides the eigenbasis."""
    return models(name, study, [THEORIES[model].reads])


def score_inputs(name: str, study: Study) -> dict[str, Files]:
    """Return the files of all compared theories, besides the eigenbasis and the data set."""
    return models(name, study, study.comparison.reads, ("eigenbasis", "dataset"))


def settings(_: str, study: Study, model: str) -> dict[str, object]:
    """Return the settings for solving a theory's flow; a closed form needs no ODE method."""
    used = {"batch_size"} if THEORIES[model].closed_form else None
    return study.comparison.model_dump(include=used, exclude={"models"})


def cluster_labels(name: str, study: Study) -> list[str]:
    """Return the mixture if its clusters are the classifier's labels."""
    extractor = study.teleport.extractor
    learned = isinstance(extractor, ClassifierExtractor) and extractor.labels == "mixture"
    return [f"results/{name}/mixture.zarr.zip"] if learned else []


def claims_inputs(name: str, study: Study) -> dict[str, str | list[str]]:
    """Return the input files of the table of claims."""
    kinds = ("emergence", "perturbation", "retrieval", "geometry")
    return {
        **{kind: trajectories.of_main(kind, name, study) for kind in kinds},
        "models": models_compared(name, study),
        "score": f"results/{name}/score.zarr.zip",
        "teleport": f"results/{name}/teleport.csv",
    }


def findings_inputs(name: str, study: Study) -> dict[str, str]:
    """Return the input files of the findings on the report's front page."""
    return {
        "emergence": trajectories.of_main("emergence", name, study),
        "gaussian": comparisons(name, study)[0],
        "teleport": f"results/{name}/teleport.csv",
    }


def moments(name: str, _: Study) -> list[str]:
    """Return the files of moments and eigenbasis."""
    return [f"results/{name}/moments.zarr.zip", f"results/{name}/eigenbasis.zarr.zip"]
