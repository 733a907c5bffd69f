"""Files of the sweep at low NFE (the design "re-grid"): states after a jump, features, distances."""

from __future__ import annotations

from underpainting.noise.grid_names import COVARIANCE, TIME
from underpainting.samplers.registry import SAMPLERS
from underpainting.teleport.registry import NO_JUMP, kind_of
from underpainting.theory.theories import COMPARED
from underpainting_workflow.studies.files import stages, sweep, theories
from underpainting_workflow.studies.low_nfe import LowNfeConfig, Run
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import SamplerName

SHOWN = 5, 10


def jump_inputs(name: str, study: Study, jump: str) -> dict[str, theories.Files]:
    """Return the input files of a jump."""
    return theories.models(name, study, [kind_of(jump).reads], ())


def section(study: Study) -> LowNfeConfig:
    """Return the section `low_nfe` of a study that has it."""
    if study.low_nfe is None:
        raise ValueError("this study has no section `low_nfe`")
    return study.low_nfe


def landed(name: str, _: Study, jump: str, first: str, stop: str) -> list[str]:
    """Return the file of the states after a jump, of one shard."""
    return [] if jump == NO_JUMP else [f"results/{name}/jumps/{jump}/seeds_{first}-{stop}.zarr.zip"]


def grid_mark(grid: str) -> str:
    """Return what a grid adds to the name of a run's folder: nothing for the network's own time."""
    return "" if grid == TIME else f"-{grid}"


def grid_of(mark: str) -> str:
    """Return the grid with a mark."""
    return mark.removeprefix("-") or TIME


def basis(name: str, _: Study, sampler_name: str, mark: str) -> list[str]:
    """Return the eigenbasis if a run needs it, for its grid or its sampler."""
    return [f"results/{name}/eigenbasis.zarr.zip"] * needs_basis(sampler_name, grid_of(mark))


def needs_basis(sampler_name: str, grid: str) -> bool:
    """Return whether a run needs the eigenbasis of the data."""
    return SAMPLERS[sampler_name].relative or grid == COVARIANCE


def features_of(
    steps: int | str,
    name: str = "{study}",
    sampler_name: str = "{sampler_name}",
    mark: str = "{mark}",
    jump: str = "{jump}",
) -> str:
    """Return the path of a run's feature shards, with placeholders `{first}`, `{stop}` and for missing arguments."""
    return f"results/{name}/low_nfe/{sampler_name}-{steps}{mark}/{jump}/seeds_{{first}}-{{stop}}.zarr.zip"


def shards_of(name: str, study: Study, run: Run) -> list[str]:
    """Return the feature shards of a run."""
    pattern = features_of(run.steps, name, run.sampler_name, grid_mark(run.grid), run.jump)
    return stages.shards(pattern, section(study))


def features(name: str, study: Study, sampler_name: str) -> list[str]:
    """Return the features of every run of a sampler, run after run, shard after shard."""
    return [file for run in section(study).runs_of(sampler_name) for file in shards_of(name, study, run)]


def settings(_: str, study: Study, sampler_name: str) -> dict[str, object]:
    """Return the runs of a sampler, and the settings of their measures."""
    low_nfe = section(study)
    runs = [[run.steps, run.grid, run.jump] for run in low_nfe.runs_of(sampler_name)]
    return {"runs": runs, "reference": low_nfe.reference_steps(sampler_name), **sweep.fidelity_settings(study)}


def run_settings(_: str, study: Study, mark: str, jump: str) -> dict[str, object]:
    """Return the settings of a run; the network's own time is the usual grid, and not among them."""
    low_nfe = section(study)
    return {
        "skipped_percent": list(low_nfe.skipped_percent(jump)),
        "batch_size": low_nfe.batch_size,
        "extractor": study.teleport.extractor.name,
        "compute": study.compute(),
        **({"grid": grid_of(mark)} if mark else {}),
    }


def rows(name: str, study: Study) -> list[str]:
    """Return the fidelity files of all samplers at low NFE."""
    return [f"results/{name}/low_nfe/{sampler}.json" for sampler in study.low_nfe.samplers] if study.low_nfe else []


def swept(study: Study) -> bool:
    """Return whether image quality is measured at low NFE."""
    return study.low_nfe is not None


def sweeps_relative(study: Study) -> bool:
    """Return whether a relative sampler is measured beside others at low NFE."""
    return study.low_nfe is not None and {SAMPLERS[name].relative for name in study.low_nfe.samplers} == {True, False}


def names(study: Study) -> dict[str, dict[str, str]]:
    """Return the labels of samplers and jumps, in the order of the study; "no jump" is the first of the jumps."""
    low_nfe = section(study)
    return {
        "samplers": {name: SAMPLERS[name].label for name in low_nfe.samplers},
        "jumps": {NO_JUMP: "no jump", **{jump.id: jump.label for jump in low_nfe.jumps}},
    }


def shown_sampler(study: Study) -> SamplerName:
    """Return the sampler whose images at low NFE are shown: DDIM if the study has it, else the first."""
    listed = section(study).samplers
    return "ddim" if "ddim" in listed else listed[0]


def shown(study: Study) -> list[list[int | str]]:
    """Return [steps, jump] of the runs to show: without a jump, after the theories' jumps, the plain run last."""
    low_nfe, sampler = section(study), shown_sampler(study)
    listed = [jump.id for jump in low_nfe.jumps]
    jumps = [NO_JUMP, *([name for name in listed if name in COMPARED] or listed)]
    plain = low_nfe.reference_steps(sampler)
    runs = [(steps, jump) for steps in low_nfe.within(sampler, SHOWN) for jump in jumps]
    return [list(run) for run in dict.fromkeys([*runs, *([(plain, NO_JUMP)] if plain else [])])]


def shown_grid(study: Study) -> str:
    """Return the grid of the runs to show."""
    return section(study).grids_of(shown_sampler(study))[0]


def pictures(name: str, study: Study) -> list[str]:
    """Return the first shard of every run whose images are shown; a shard holds images of its first seeds only."""
    sampler, grid = shown_sampler(study), shown_grid(study)
    return [shards_of(name, study, Run(sampler, int(steps), grid, str(jump)))[0] for steps, jump in shown(study)]
