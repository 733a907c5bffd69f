"""Input files and settings of the page of a study. The Snakefile imports this module, so it must import little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from underpainting_workflow import figures
from underpainting_workflow.figures import Figure
from underpainting_workflow.studies.files import shown, stages
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.text_to_image import geometry, teleport_files
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy
from underpainting_workflow.studies.text_to_image.teleport import PLAIN, Way

NULL_MODELS = {
    "images": "an isotropic Gaussian with the mean and the total variance of the images",
    "text_to_image": "the Gaussian of all latents, which does not know the prompt",
}


def of_images(name: str, study: Study) -> dict[str, str | list[str]]:
    """Return the files of the interactive part, besides `teleport.csv`, which is among the tables."""
    return {
        "eigenbasis": f"results/{name}/eigenbasis.zarr.zip",
        "trajectories": shown.gallery_trajectories(name, study),
        "jumped": shown.gallery_samples(name, study),
    }


def of_latents(name: str, study: TextToImageStudy) -> dict[str, list[str]]:
    """Return the file of the generated images at the top of the page: of many prompts, where the study has a sweep over them."""
    if study.teleport is None:
        return {"views": geometry.views(name, study)[:1]}
    scales = study.teleport.guidance
    return {"shown": [teleport_files.of_run(name, scales[len(scales) // 3], study.teleport.samplers[0].id, Way(PLAIN))]}


def settings(
    study: Study | TextToImageStudy, drawn: Sequence[Figure[Any]], layout: str, code_of: Callable[[str], str]
) -> dict[str, Any]:
    """Return what the page depends on besides its files.

    Args:
        drawn: the study's figures.
        layout: digest of the page's layout.
        code_of: returns script and digest of a job's code.
    """
    made = {
        figure.file: {
            "code": code_of(f"draw_figure:drawing.{figure.draw}").rpartition(" ")[2],
            "config": figure.settings(study),
        }
        for figure in drawn
    }
    about = {
        "title": study.title,
        "description": study.description,
        "null_model": NULL_MODELS[study.kind],
        "reading": figures.reading(study),
    }
    return {**about, **_interactive(study), "figures": made, "layout": layout}


def _interactive(study: Study | TextToImageStudy) -> dict[str, Any]:
    """Return the settings of the interactive part, which only studies of images have."""
    if not isinstance(study, Study):
        return {"label": ""}
    return {
        "label": stages.main_first(study.trajectories)[0].label,
        "sampler": stages.main_sampler(study.teleport),
        "skipped_steps": list(study.teleport.skipped_steps),
    }
