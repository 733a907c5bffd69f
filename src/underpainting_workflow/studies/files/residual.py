"""Trainings with and without the Gaussian."""

from __future__ import annotations

from underpainting_workflow.studies.denoiser import OwnDenoiser, TrainedDenoiser
from underpainting_workflow.studies.files import stages
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.residual import ResidualConfig


def training_basis(name: str, study: Study) -> list[str]:
    """The eigenbasis, where the network learns what its Gaussian leaves over."""
    learns_rest = isinstance(study.denoiser, TrainedDenoiser) and study.denoiser.training.residual != "none"
    return [f"results/{name}/eigenbasis.zarr.zip"] if learns_rest else []


def section(study: Study) -> ResidualConfig:
    """The trainings that a study compares."""
    if study.residual is None:
        raise ValueError("this study has no section `residual`")
    return study.residual


def compared(study: Study) -> bool:
    """Are trainings with and without the Gaussian compared?"""
    return study.residual is not None


def basis(name: str, _: Study, form: str) -> list[str]:
    """The eigenbasis, for a form of training that uses it."""
    return [] if form == "none" else [f"results/{name}/eigenbasis.zarr.zip"]


def recipe(_: str, study: Study, form: str, seed: str, steps: str) -> dict[str, object]:
    """The study's own recipe, with another form, seed and number of steps."""
    used = own_denoiser(study).used()
    training = {**used["training"], "residual": form, "seed": int(seed), "steps": int(steps), "snapshots": ()}
    return {**used, "source": "train", "training": training}


def settings(_: str, study: Study) -> dict[str, object]:
    """How the networks of a form and seed are measured: all by the same draws, and by the noise of the same seeds."""
    sweep, draws = study.teleport, {"steps": 1, "batch_size": 256, "prediction_type": "v_prediction"}
    return {
        "training": draws,
        "training_steps": list(section(study).training_steps),
        "images": section(study).images,
        "sampler": stages.main_first(sweep)[0].model_dump(),
        "first_seed": sweep.first_seed,
        "batch_size": sweep.batch_size,
        "resamples": sweep.resamples,
        "extractor": sweep.extractor.name,
        "compute": study.compute(),
    }


def own_denoiser(study: Study) -> OwnDenoiser:
    """The network of a study that has a recipe for it."""
    if not isinstance(study.denoiser, OwnDenoiser):
        raise ValueError(f"denoiser.source: {study.denoiser.source} has no recipe")
    return study.denoiser


def networks(name: str, study: Study, form: str, seed: str, part: str) -> list[str]:
    """One file of each network of a form and seed, the shortest training first."""
    folder = f"results/{name}/residual/{form}/seed_{seed}"
    return [f"{folder}/steps_{steps}/denoiser/{part}" for steps in section(study).training_steps]


def rows(name: str, study: Study) -> list[str]:
    """What was measured on the networks of each form and seed."""
    seeds = section(study).training_seeds(own_denoiser(study))
    return [f"results/{name}/residual/{form}/seed_{seed}.json" for form in section(study).forms for seed in seeds]


def tables(name: str, study: Study) -> list[str]:
    """Tables of the trainings compared, where there are any."""
    return [f"results/{name}/residual.csv", f"results/{name}/tables/residual.html"] if compared(study) else []
