"""What the planner is told."""

from __future__ import annotations

from underpainting_workflow.studies.models import Study


def mixture(name: str, study: Study) -> list[str]:
    """The mixture, where a jump follows its flow."""
    return [f"results/{name}/mixture.zarr.zip"] if "mixture" in jumps(study) else []


def jumps(study: Study) -> dict[str, int | None]:
    """The jumps to plan whose model is known beforehand, with their rank if it is limited; the Gaussian is always among them."""
    chosen = study.budget.jumps if study.budget else ()
    known = {jump.id: getattr(jump, "rank", None) for jump in chosen if jump.name not in ("samples", "isotropic")}
    return {"gaussian": None, **known}


def settings(study: Study) -> dict[str, object]:
    """What the planner allows, how often it called the network over all its images, and the samplers with grids of their own."""
    plan = study.planner
    samplers = {choice.id: choice.model_dump() for choice in study.teleport.samplers}
    return {"wanted": plan.wanted, "seen": plan.seen, "calls": plan.images * plan.levels, "samplers": samplers}
