# The only helper functions of the rules.
from snakemake.exceptions import WorkflowError
from underpainting.studies import StudyError, find_studies
from underpainting import preflight

try:
    STUDIES = find_studies(
        config.get("studies"), "config/studies", "config/config.yaml"
    )
    if workflow.is_main_process:
        preflight.check_all(STUDIES, "config/studies")
except StudyError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    study="|".join(STUDIES),
    sampler=r"[a-z]+-\d+(-[a-z]+)?",
    first=r"\d+",
    stop=r"\d+",
    skip=r"\d+",


def study(wildcards):
    """The study of a job."""
    return STUDIES[wildcards.study]


def of_study(select):
    """A params function: what `select` takes out of the job's study."""
    return lambda wildcards: select(STUDIES[wildcards.study])


def sampler(wildcards, stage):
    """The sampler of a job, as plain values, from `trajectories` or `teleport`."""
    choices = getattr(STUDIES[wildcards.study], stage).samplers
    return next(
        choice for choice in choices if choice.id == wildcards.sampler
    ).model_dump()


def shards(pattern, stage):
    """An input function: the shards of a stage, with the job's other wildcards filled in."""

    def files(wildcards):
        return [
            pattern.format(**wildcards, first=first, stop=stop)
            for first, stop in getattr(STUDIES[wildcards.study], stage).shards
        ]

    return files


def studies_with(condition):
    """A wildcard pattern for the studies that fulfil a condition; matches nothing if there are none."""
    return (
        "|".join(name for name, entry in STUDIES.items() if condition(entry)) or "(?!)"
    )


def of_all(files):
    """The files of every study, from a function of (name, study)."""
    return [file for name, entry in STUDIES.items() for file in files(name, entry)]
