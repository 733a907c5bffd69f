"""Paths of a text-to-image study's artifacts below `results/STUDY`.

Pure functions of a study's name and its model; the rules wrap them with wildcards.
"""

from __future__ import annotations

from pathlib import Path

from underpainting_workflow.studies.files.sources import needed
from underpainting_workflow.studies.text_to_image import teleport_files
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy
from underpainting_workflow.studies.text_to_image.sampling import Run, scale_name
from underpainting_workflow.studies.text_to_image.training import OwnModel

_WEIGHTS = "diffusion_pytorch_model.safetensors"
MODEL = {
    "unet_config": "unet/config.json",
    "unet": f"unet/{_WEIGHTS}",
    "vae_config": "vae/config.json",
    "vae": f"vae/{_WEIGHTS}",
    "text_encoder_config": "text_encoder/config.json",
    "text_encoder": "text_encoder/model.safetensors",
    "tokenizer_config": "tokenizer/tokenizer_config.json",
    "tokenizer": "tokenizer/tokenizer.json",
    "scheduler": "scheduler/scheduler_config.json",
    "index": "model_index.json",
}
"""Files of a latent model in the layout of StableDiffusionPipeline, by name; the index is written last."""
_READ = (".json", ".safetensors", ".txt")


def model(name: str = "{study}") -> dict[str, str]:
    """Return the files of a study's latent model."""
    return {key: f"results/{name}/model/{file}" for key, file in MODEL.items()}


def of_model(name: str, study: TextToImageStudy) -> list[str]:
    """Return the files of a latent model in a folder."""
    if not study.denoiser.place:
        return []
    files = sorted(file.as_posix() for file in Path(study.denoiser.place).rglob("*") if file.suffix in _READ)
    return needed(files, model(name)["index"])


def dataset_files(name: str, study: TextToImageStudy) -> list[str]:
    """Return the files from which a study's images are made."""
    return needed(study.dataset.files(), f"results/{name}/dataset.zarr.zip") if study.dataset else []


def is_trained(study: TextToImageStudy) -> bool:
    """Return whether the workflow trains the study's model."""
    return study.denoiser.source == "train"


def has_data(study: TextToImageStudy) -> bool:
    """Return whether the study has images with captions."""
    return study.dataset is not None


def dataset_settings(study: TextToImageStudy) -> dict[str, object]:
    """Return the settings that a study's images depend on."""
    return study.dataset.settings() if study.dataset else {}


def own(study: TextToImageStudy) -> OwnModel:
    """Return the recipe of a study whose model the workflow can train."""
    if not isinstance(study.denoiser, OwnModel):
        raise ValueError(f"a model of source {study.denoiser.source} is not trained here")
    return study.denoiser


def trajectory(name: str, run: Run) -> str:
    """Return the trajectories of a sampler with a guidance scale."""
    return f"results/{name}/trajectories/{run.sampler.id}/{scale_name(run.guidance)}.zarr.zip"


def trajectories(name: str, study: TextToImageStudy) -> list[str]:
    """Return the trajectories of every sampler and scale, the main one's first."""
    main = study.trajectories.main
    return [trajectory(name, run) for run in sorted(study.trajectories.runs, key=lambda run: run != main)]


def main_trajectory(name: str, study: TextToImageStudy) -> str:
    """Return the trajectories of the main sampler and scale."""
    return trajectory(name, study.trajectories.main)


def run_of(study: TextToImageStudy, sampler: str, scale: str) -> Run:
    """Return the run with a sampler's id and a scale's name."""
    return next(
        run for run in study.trajectories.runs if (run.sampler.id, scale_name(run.guidance)) == (sampler, scale)
    )


def report(name: str, _: TextToImageStudy) -> list[str]:
    """Return the report and the page."""
    return [f"results/{name}/{file}.html" for file in ("report", "index")]


def tables(name: str, study: TextToImageStudy) -> list[str]:
    """Return the tables."""
    always = [f"results/{name}/tables/latent_claims.html", f"results/{name}/findings.json"]
    return [*geometry(name, study), *always, *teleport_files.tables(name, study)]


def findings_inputs(name: str, study: TextToImageStudy) -> dict[str, str]:
    """Return the input files of the findings on the report's front page."""
    swept = {"teleport": f"results/{name}/latent_teleport.csv"} if study.teleport else {}
    return {"claims": f"results/{name}/latent_claims.csv", **swept}


def findings_settings(study: TextToImageStudy) -> dict[str, object]:
    """Return the sampler whose jumps are reported; None for a study without jumps."""
    main = study.teleport.samplers[0] if study.teleport else None
    return {"swept": {"sampler": main.id, "label": main.label} if main else None}


def geometry(name: str, _: TextToImageStudy) -> list[str]:
    """Return the table of the trajectories' geometry."""
    return [f"results/{name}/tables/geometry.html"]


def trajectory_settings(study: TextToImageStudy, sampler: str, scale: str) -> dict[str, object]:
    """Return the settings of the trajectories of a sampler's id and a scale's name."""
    run, stage = run_of(study, sampler, scale), study.trajectories
    return {
        "sampler": run.sampler.model_dump(),
        "guidance": run.guidance,
        "prompts": list(study.prompts),
        "seeds": [stage.seed_range.start, stage.seed_range.stop],
        "batch_size": stage.batch_size,
        "compute": study.compute(),
    }
