"""Settings of this workflow for `snakemake_provenance`; a study is a section of the results."""

from __future__ import annotations

from snakemake_provenance.settings import Settings


def settings(data: str) -> Settings:
    """Return the settings of a project.

    Args:
        data: the folder that `{data}` stands for.
    """
    return Settings(
        manifests="workflow/provenance",
        places={"{data}": data},
        automatic=False,  # rules carry the digest of their code, and jobs record their inputs and outputs
        top="_across",
        word="study",
        select=("--config", "studies={}"),
        sources=("Snakefile", "rules", "scripts", "src", "config"),
        section_files=("config/studies/{}.yaml",),
        scripts="scripts/{}.py",
        metrics=("metrics.json",),
        plots={"teleport.csv": {"x": "skipped_steps", "y": "fd"}},
        stage_command="snakemake --cores all --config studies={}",
        kept=("*.checkpoint.safetensors",),  # a killed training resumes from it
        title="the workflow Underpainting",
        license="https://spdx.org/licenses/MIT",
        publisher="The Underpainting developers",
        command="underpainting",
        module="underpainting_workflow",
    )
