"""Inputs and settings of the planner's job."""

from __future__ import annotations

from underpainting.teleport.registry import kind_of
from underpainting.theory.theories import NULL
from underpainting_workflow.studies.files import theories
from underpainting_workflow.studies.models import Study


def inputs(name: str, study: Study) -> dict[str, theories.Files]:
    """Return the files of the jumps' models, besides the eigenbasis and the data set."""
    kinds = {kind_of(jump).reads for jump in jumps(study)}
    return theories.models(name, study, kinds, ("eigenbasis", "dataset"))


def jumps(study: Study) -> dict[str, int | None]:
    """Return the rank (None: full) of each jump to plan whose model is known in advance, always with the Gaussian."""
    chosen = study.low_nfe.jumps if study.low_nfe else ()
    known = {jump.id: jump.rank for jump in chosen if jump.kind.reads != "samples" and jump.name != NULL}
    return {"gaussian": None, **known}


def settings(study: Study) -> dict[str, object]:
    """Return the planner's limits, its network calls over all images, and the samplers of the sweep over skipped steps."""
    plan = study.planner
    samplers = {choice.id: choice.model_dump() for choice in study.teleport.samplers}
    return {"max_loss": plan.max_loss, "seen": plan.seen, "calls": plan.images * plan.levels, "samplers": samplers}
