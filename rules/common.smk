# The only helper functions of the rules: they wrap the library's pure functions with wildcards.
from functools import cache, partial
from inspect import signature
from pathlib import Path

from underpainting.io import third_party_code
from underpainting_workflow import (
    figures,
    fork_server,
    jobs,
    preflight,
    scheduling,
    text_figures,
)
from underpainting.io.errors import InputError
from underpainting.io.messages import escape_rst
from snakemake_provenance import code, track
from snakemake_provenance.refusal import refusing
from snakemake_provenance.settings import SNAKEMAKE
from underpainting_workflow.page import files as page_files
from underpainting_workflow.provenance import settings as provenance
from underpainting_workflow.studies import (
    check_configuration,
    data_folder,
    files,
    find_studies,
)
from underpainting_workflow.studies import text_to_image
from underpainting_workflow.studies.resources import memory, runtime

# of this file, not of the main Snakefile: this workflow may be a module of another one
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
SETTINGS = workflow.config_settings
OWN_FILES = [file for file in workflow.configfiles if file not in SETTINGS.configfiles]

with refusing(InputError):
    check_configuration([*OWN_FILES, *SETTINGS.configfiles])
    DATA = data_folder(config, SETTINGS.overwrite_config)
    ALL_STUDIES = find_studies(
        config.get("studies"),
        "config/studies",
        "config/config.yaml",
        data=DATA,
        retrain=config.get("retrain", False),
    )
    if workflow.is_main_process:
        preflight.check_all(ALL_STUDIES, "config/studies")

# by kind: studies of images, and of text-to-image models
STUDIES, TEXT_STUDIES = (
    {name: entry for name, entry in ALL_STUDIES.items() if entry.kind == kind}
    for kind in ("images", "text_to_image")
)

# rules add the code of their scripts; what is there is checked when Snakemake plans
CODE = {}
track(workflow, provenance(DATA), CODE)
fork_server.install(workflow)
scheduling.lift_default_limit(workflow)

third_party_code.announce(files.sources.code_folders(STUDIES))

# what compares studies, where there are several
ACROSS_STUDIES = files.products.ACROSS_STUDIES if len(ALL_STUDIES) > 1 else ()


wildcard_constraints:
    study="|".join(STUDIES) or "(?!)",
    sampler=r"[a-z]+\d*-\d+(-[a-z]+)*",
    first=r"\d+",
    stop=r"\d+",
    skipped_steps=r"\d+",
    sampler_name=r"[a-z]+\d*",
    steps=r"\d+",
    mark=r"(-[a-z]+)?",
    jump=r"[a-z]+\d*",


def study(wildcards):
    """The study of a job."""
    return ALL_STUDIES[wildcards.study]


def of_study(select):
    """A params function: what `select` takes out of the job's study."""
    return lambda wildcards: select(study(wildcards))


def files_of(function):
    """An input function: `function` of the study's name and models, and of the other wildcards that it names."""
    names = signature(function).parameters

    def find(wildcards):
        others = {
            key: value
            for key, value in wildcards.items()
            if key in names and key != "study"
        }
        return function(wildcards.study, study(wildcards), **others)

    return find


def inputs_of(figure):
    """The named inputs of a figure: paths as they are, functions wrapped as input functions."""
    return {
        name: files if isinstance(files, str) else files_of(files)
        for name, files in figure.inputs.items()
    }


def of_all(function):
    """The files of every study, from a function of its name and models."""
    return [file for name, entry in STUDIES.items() for file in function(name, entry)]


def of_text(function):
    """The files of every text-to-image study, from a function of its name and model."""
    return [
        file for name, entry in TEXT_STUDIES.items() for file in function(name, entry)
    ]


def sampler(wildcards, stage):
    """The sampler of a job, as plain values, from `trajectories` or `teleport`."""
    choices = getattr(study(wildcards), stage).samplers
    return next(
        choice for choice in choices if choice.id == wildcards.sampler
    ).model_dump()


def studies_with(condition):
    """A wildcard pattern for the studies that fulfil a condition; matches nothing if there are none."""
    return (
        "|".join(name for name, entry in STUDIES.items() if condition(entry)) or "(?!)"
    )


def text_studies_with(condition=lambda study: True):
    """The same for text-to-image studies; their rules need it, since `study` is a study of images elsewhere."""
    return (
        "|".join(name for name, entry in TEXT_STUDIES.items() if condition(entry))
        or "(?!)"
    )


def needs(rule, holds=None):
    """MiB and minutes that a scheduler is asked for; more with each attempt."""

    def asking(function):
        asked = cache(lambda name: function(rule, STUDIES[name]))
        return lambda wildcards, attempt: attempt * asked(wildcards.study)

    return {"mem_mb": asking(partial(memory, holds=holds)), "runtime": asking(runtime)}


def text_needs(rule):
    """The same of a text-to-image study."""

    def asking(function):
        return lambda wildcards, attempt: attempt * function(rule, study(wildcards))

    return {
        "mem_mb": asking(text_to_image.resources.memory),
        "runtime": asking(text_to_image.resources.runtime),
    }


def code_of(script):
    """A script and a digest of all that it reaches in the library: a change of either makes the rule run again."""
    files = jobs.code_of(ROOT / "scripts", script)
    digest = f"{script} {code.combined(files)}"
    CODE[digest] = files
    return digest


def packages_of(script):
    """The versions of the packages that a script's results can depend on."""
    return jobs.packages_of(ROOT / "scripts", script)
