"""The figures of jumps in latent space, a row each; part of `text_figures`."""

from __future__ import annotations

from typing import Any

from underpainting_workflow.figures import Figure
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy
from underpainting_workflow.studies.text_to_image.teleport_files import stage

_CAPTION = """
Jumps over the first steps of {{ snakemake.params.config.label }} in latent space, for *{{ snakemake.wildcards.study
}}*, %s, by the network calls that are left (two for a guided estimate); a column per scale of guidance. **Agreement**:
fraction of the images that agree with all that their prompt says, by the study's classifier. **FD**: Fréchet distance
from real images of the same prompts, in the features of that classifier and of an autoencoder, extrapolated to
infinitely many images and drawn no lower than that of real images (dotted). **RMSE**: from the network's own solution
under the same guidance. Black: plain runs with fewer steps. Grey: all steps, but guidance only after those that the
jump would replace. In colour: jumps with the Gaussian of all latents, of the prompt, or predicted from its text, and
the relative sampler. Bars are 95 %% intervals over prompts and seeds.
"""


def _settings(group: str, study: TextToImageStudy) -> dict[str, Any]:
    main = stage(study).samplers[0]
    return {"sampler": main.id, "label": main.label, "group": group}


FIGURES: tuple[Figure[TextToImageStudy], ...] = (
    Figure(
        draw="latent_teleport",
        file="fig_latent_teleport",
        category="Teleportation",
        label="Jumps in latent space",
        inputs={"table": "results/{study}/latent_teleport.csv"},
        config=lambda study: _settings("known", study),
        condition=lambda study: study.teleport is not None,
        title="Jumps in latent space, at the same number of network calls",
        caption=_CAPTION % "known prompts",
    ),
    Figure(
        draw="latent_teleport_left_out",
        file="fig_latent_teleport_left_out",
        category="Teleportation",
        label="Jumps in latent space: prompts left out",
        inputs={"table": "results/{study}/latent_teleport.csv"},
        config=lambda study: _settings("left out", study),
        condition=lambda study: study.teleport is not None and bool(study.teleport.left_out),
        title="Jumps in latent space, for prompts of combinations left out of the Gaussians",
        caption=_CAPTION % "prompts of combinations that were left out of all Gaussians",
    ),
)
