"""Paths of the Gaussians of latents and of the sweep that jumps with them, below `results/STUDY`."""

from __future__ import annotations

from underpainting_workflow.studies.sampling import SamplerChoice
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy
from underpainting_workflow.studies.text_to_image.sampling import scale_name
from underpainting_workflow.studies.text_to_image.teleport import LatentTeleport, Way


def has_sweep(study: TextToImageStudy) -> bool:
    """Return whether a study jumps in latent space."""
    return study.teleport is not None


def stage(study: TextToImageStudy) -> LatentTeleport:
    """Return the sweep of a study that has one."""
    assert study.teleport is not None
    return study.teleport


def of_run(name: str, scale: float, sampler: str, way: Way) -> str:
    """Return the measured images of a scale, sampler and way."""
    return f"results/{name}/latent_teleport/{scale_name(scale)}/{sampler}/{way.id}.zarr.zip"


def run_of(study: TextToImageStudy, scale: str, sampler: str, way: str) -> tuple[float, SamplerChoice, Way]:
    """Return the guidance, sampler and way with given names."""
    return next(
        run for run in stage(study).runs() if (scale_name(run[0]), run[1].id, run[2].id) == (scale, sampler, way)
    )


def runs(name: str, study: TextToImageStudy, scale: str) -> list[str]:
    """Return the measured images of every sampler and way of a scale."""
    return [
        of_run(name, found, sampler.id, way)
        for found, sampler, way in stage(study).runs()
        if scale_name(found) == scale
    ]


def rows(name: str, study: TextToImageStudy) -> list[str]:
    """Return the rows of every scale."""
    return [f"results/{name}/latent_teleport/{scale_name(scale)}.json" for scale in stage(study).guidance]


def tables(name: str, study: TextToImageStudy) -> list[str]:
    """Return the tables of the sweep and of the Gaussians, where the study has them."""
    if study.teleport is None:
        return []
    names = ("agreement", "gaussians", "latent_teleport", "latent_teleport_claims")
    return [f"results/{name}/tables/{table}.html" for table in names]


def of_gaussians(name: str, way: str) -> dict[str, str]:
    """Return the files of the Gaussians that a way needs."""
    if "_" not in way:
        return {}
    return {key: f"results/{name}/gaussians/{file}" for key, file in GAUSSIANS.items()}


GAUSSIANS = {"gaussians": "prompts.zarr.zip", "regression": "regression.safetensors"}


def reference_settings(study: TextToImageStudy) -> dict[str, object]:
    """Return what the features of real images depend on."""
    sweep = stage(study)
    return {"prompts": list(sweep.prompts), "known": len(sweep.known), "reference_images": sweep.reference_images}


def gaussian_settings(study: TextToImageStudy) -> dict[str, object]:
    """Return what the Gaussians depend on."""
    sweep = stage(study)
    names = {"known": list(sweep.known), "unseen": list(sweep.left_out)}
    return {**study.gaussians.model_dump(), **names, "compute": study.compute()}


def run_settings(study: TextToImageStudy, scale: str, sampler: str, way: str) -> dict[str, object]:
    """Return what a run depends on."""
    sweep = stage(study)
    guidance, choice, found = run_of(study, scale, sampler, way)
    return {
        **_images(sweep),
        "guidance": guidance,
        "sampler": choice.model_dump(),
        "kind": found.kind,
        "gaussian": found.gaussian,
        "skipped_steps": sweep.skips(found),
        "known": len(sweep.known),
        "compute": study.compute(),
    }


def solution_settings(study: TextToImageStudy, scale: str) -> dict[str, object]:
    """Return what the network's own latents depend on."""
    sweep = stage(study)
    guidance = next(found for found in sweep.guidance if scale_name(found) == scale)
    solution = {**_images(sweep), "seeds": [sweep.first_seed, sweep.first_seed + sweep.solution.seeds]}
    return {**solution, "guidance": guidance, "steps": sweep.solution.steps, "compute": study.compute()}


def measure_settings(study: TextToImageStudy, scale: str) -> dict[str, object]:
    """Return what the rows of a scale depend on besides their files."""
    sweep = stage(study)
    chosen = [
        (sampler.id, way.kind, way.gaussian) for found, sampler, way in sweep.runs() if scale_name(found) == scale
    ]
    guidance = next(found for found in sweep.guidance if scale_name(found) == scale)
    about = {"known": len(sweep.known), "steps": sweep.steps, "guidance": guidance, "resamples": sweep.resamples}
    return {"runs": chosen, **about}


def _images(sweep: LatentTeleport) -> dict[str, object]:
    return {
        "prompts": list(sweep.prompts),
        "seeds": [sweep.first_seed, sweep.first_seed + sweep.seeds],
        "batch_size": sweep.batch_size,
    }
