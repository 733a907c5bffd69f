"""Files and settings of the trainings with and without a Gaussian."""

from __future__ import annotations

from underpainting_workflow.studies.denoiser import OwnDenoiser, TrainedDenoiser
from underpainting_workflow.studies.files import stages
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.residual import ResidualConfig


def training_basis(name: str, study: Study) -> list[str]:
    """Return the eigenbasis if the network learns the residual of a Gaussian."""
    learns_rest = isinstance(study.denoiser, TrainedDenoiser) and study.denoiser.training.residual != "none"
    return [f"results/{name}/eigenbasis.zarr.zip"] if learns_rest else []


def section(study: Study) -> ResidualConfig:
    """Return the section `residual` of a study that compares trainings."""
    if study.residual is None:
        raise ValueError("this study has no section `residual`")
    return study.residual


def compared(study: Study) -> bool:
    """Return whether trainings with and without a Gaussian are compared."""
    return study.residual is not None


def basis(name: str, _: Study, form: str) -> list[str]:
    """Return the eigenbasis for a form of training that uses it."""
    return [] if form == "none" else [f"results/{name}/eigenbasis.zarr.zip"]


def recipe(_: str, study: Study, form: str, seed: str, steps: str) -> dict[str, object]:
    """Return the study's training recipe with the given form, seed and number of steps."""
    used = own_denoiser(study).used()
    training = {**used["training"], "residual": form, "seed": int(seed), "steps": int(steps), "snapshots": ()}
    return {**used, "source": "train", "training": training}


def settings(_: str, study: Study) -> dict[str, object]:
    """Return the settings for measuring the networks of a form and seed, all with the same draws and noise seeds."""
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
    """Return the denoiser section of a study that has a training recipe."""
    if not isinstance(study.denoiser, OwnDenoiser):
        raise ValueError(f"denoiser.source: {study.denoiser.source} has no recipe")
    return study.denoiser


def networks(name: str, study: Study, form: str, seed: str, part: str) -> list[str]:
    """Return one file of each network of a form and seed, the shortest training first."""
    folder = f"results/{name}/residual/{form}/seed_{seed}"
    return [f"{folder}/steps_{steps}/denoiser/{part}" for steps in section(study).training_steps]


def rows(name: str, study: Study) -> list[str]:
    """Return the files of measures on the networks of each form and seed."""
    seeds = section(study).training_seeds(own_denoiser(study))
    return [f"results/{name}/residual/{form}/seed_{seed}.json" for form in section(study).forms for seed in seeds]


def tables(name: str, study: Study) -> list[str]:
    """Return the tables of the compared trainings, if there are any."""
    return [f"results/{name}/residual.csv", f"results/{name}/tables/residual.html"] if compared(study) else []
