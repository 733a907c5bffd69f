"""The table of a text-to-image study's figures, a row each, as `figures` for studies of images.

A row names the module of `underpainting_workflow.drawing` that draws it. The Snakefile imports this module, so it must
import little.
"""

from __future__ import annotations

from underpainting_workflow import latent_figures, latent_jump_figures
from underpainting_workflow.figures import Figure
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

FIGURES: tuple[Figure[TextToImageStudy], ...] = (*latent_figures.FIGURES, *latent_jump_figures.FIGURES)


def of_study(study: TextToImageStudy) -> list[Figure[TextToImageStudy]]:
    """Return the figures that a study has."""
    return [figure for figure in FIGURES if figure.condition(study)]


def files(name: str, study: TextToImageStudy) -> list[str]:
    """Return the files of every figure of a study."""
    return [file for figure in of_study(study) for file in figure.files(name)]
