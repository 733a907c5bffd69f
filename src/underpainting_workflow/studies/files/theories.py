"""Moments, theories and their comparison with trajectories."""

from __future__ import annotations

from underpainting_workflow.studies.files import stages, trajectories
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import ClassifierExtractor


def comparisons(name: str, study: Study) -> list[str]:
    """The Gaussian's errors for every sampler, the main sampler's first."""
    samplers = stages.main_first(study.trajectories)
    return [f"results/{name}/comparison/{choice.id}/gaussian.zarr.zip" for choice in samplers]


def models_compared(name: str, study: Study) -> list[str]:
    """The errors of every theory for the main sampler, in the order of `comparison.models`."""
    folder = f"results/{name}/comparison/{stages.main_sampler(study.trajectories)}"
    return [f"{folder}/{model}.zarr.zip" for model in study.comparison.models]


def inputs(name: str, _: Study, model: str) -> dict[str, str]:
    """What a theory is read from, beside the eigenbasis."""
    kinds = {"gaussian": (), "mixture": ("mixture",), "point_cloud": ("dataset",)}
    return {kind: f"results/{name}/{kind}.zarr.zip" for kind in kinds[model]}


def settings(_: str, study: Study, model: str) -> dict[str, object]:
    """How a theory is carried along; the Gaussian's closed form needs no solver."""
    settings = study.comparison.model_dump(include={"batch_size"})
    return settings if model == "gaussian" else {**settings, "solver": study.comparison.solver}


def mixture_compared(name: str, study: Study) -> list[str]:
    """The mixture, where it is among the theories compared."""
    return [f"results/{name}/mixture.zarr.zip"] if study.compares("mixture") else []


def cluster_labels(name: str, study: Study) -> list[str]:
    """The mixture, where its clusters are what the classifier learns."""
    extractor = study.teleport.extractor
    learned = isinstance(extractor, ClassifierExtractor) and extractor.labels == "mixture"
    return [f"results/{name}/mixture.zarr.zip"] if learned else []


def claims_inputs(name: str, study: Study) -> dict[str, str | list[str]]:
    """What the table of claims is drawn from."""
    kinds = ("emergence", "perturbation", "retrieval", "geometry")
    return {
        **{kind: trajectories.of_main(kind, name, study) for kind in kinds},
        "models": models_compared(name, study),
        "score": f"results/{name}/score.zarr.zip",
        "teleport": f"results/{name}/teleport.csv",
    }


def findings_inputs(name: str, study: Study) -> dict[str, str]:
    """What the findings of the report's front page are drawn from."""
    return {
        "emergence": trajectories.of_main("emergence", name, study),
        "gaussian": comparisons(name, study)[0],
        "teleport": f"results/{name}/teleport.csv",
    }


def moments(name: str, _: Study) -> list[str]:
    """Moments and eigenbasis."""
    return [f"results/{name}/moments.zarr.zip", f"results/{name}/eigenbasis.zarr.zip"]
