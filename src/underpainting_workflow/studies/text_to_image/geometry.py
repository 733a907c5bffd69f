"""Files and settings of what is measured and drawn of a text-to-image study's trajectories.

Pure functions of a study's name and its model; the rules wrap them with wildcards.
"""

from __future__ import annotations

from typing import Any

from underpainting_workflow.studies.text_to_image import files, teleport_files
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy
from underpainting_workflow.studies.text_to_image.perturbation import LpipsDistance
from underpainting_workflow.studies.text_to_image.sampling import Run, scale_name

COMPONENTS, AROUND, EXAMPLES = 16, 6, 4
PLANE = (1, 2)  # components of the endpoint estimates from 0; Fig. 5 C has PC2 and PC3
MOVES = (-0.5, -0.25, 0.0, 0.25, 0.5)


def ordered(study: TextToImageStudy) -> list[Run]:
    """Return every sampler with every scale, by sampler, then by scale; the main sampler first."""
    return study.trajectories.runs


def of_run(kind: str, name: str, run: Run) -> str:
    """Return the artifact of a kind of a sampler with a guidance scale."""
    return f"results/{name}/{kind}/{run.sampler.id}/{scale_name(run.guidance)}.zarr.zip"


def of_runs(kind: str, name: str, study: TextToImageStudy) -> list[str]:
    """Return the artifacts of a kind of every sampler with every scale, in their order."""
    return [of_run(kind, name, run) for run in ordered(study)]


def of_main(kind: str, name: str, study: TextToImageStudy) -> str:
    """Return the artifact of a kind of the main sampler and scale."""
    return of_run(kind, name, study.trajectories.main)


def of_main_scale(kind: str, name: str, study: TextToImageStudy) -> list[str]:
    """Return the artifacts of a kind of every sampler with the main scale."""
    scale = study.trajectories.main.guidance
    return [of_run(kind, name, Run(sampler, scale)) for sampler in study.trajectories.samplers]


def perturbed_runs(study: TextToImageStudy) -> list[Run]:
    """Return the runs whose trajectories are perturbed, by scale, the main one last."""
    sampler, main = study.trajectories.main
    scales = study.perturbation.guidance or (study.trajectories.guidance[0], main)
    return [Run(sampler, scale) for scale in sorted({*scales, main}, key=lambda scale: (scale == main, scale))]


def perturbations(name: str, study: TextToImageStudy) -> list[str]:
    """Return the responses to perturbations, one artifact per scale."""
    return [of_run("perturbation", name, run) for run in perturbed_runs(study)]


def shown_scales(study: TextToImageStudy) -> list[float]:
    """Return the scales whose components are compared: the main one and the lowest."""
    return list(dict.fromkeys([study.trajectories.main.guidance, study.trajectories.guidance[0]]))


def views(name: str, study: TextToImageStudy) -> list[str]:
    """Return the decoded trajectories of the main sampler, at the main scale and at the lowest."""
    return [of_run("views", name, Run(study.trajectories.main.sampler, scale)) for scale in shown_scales(study)]


def pair_of_samplers(study: TextToImageStudy) -> list[Run]:
    """Return the runs whose steps are drawn: the main sampler and DDIM, or else the second one, with every scale."""
    main, *others = study.trajectories.samplers
    usual = [choice for choice in others if choice.name == "ddim"] or others
    return [Run(sampler, scale) for sampler in (main, *usual[:1]) for scale in study.trajectories.guidance]


def pair_of_trajectories(name: str, study: TextToImageStudy) -> list[str]:
    """Return the trajectories of `pair_of_samplers`."""
    return [files.trajectory(name, run) for run in pair_of_samplers(study)]


def straight_samplers(study: TextToImageStudy) -> list[Run]:
    """Return the runs whose units are compared at the main scale: the main sampler, and LMS or Euler if there is one."""
    main, *others = study.trajectories.samplers
    scaled = sorted((choice for choice in others if choice.kind.scaled), key=lambda choice: choice.name != "lms")
    return [Run(sampler, study.trajectories.main.guidance) for sampler in (main, *scaled[:1])]


def straight_trajectories(name: str, study: TextToImageStudy) -> list[str]:
    """Return the trajectories of `straight_samplers`."""
    return [files.trajectory(name, run) for run in straight_samplers(study)]


def distance_weights(name: str, study: TextToImageStudy) -> list[str]:
    """Return the file of the distance between images: the classifier of attributes, or the backbone of LPIPS, if any."""
    distance = study.distance_used
    if isinstance(distance, LpipsDistance):
        return [distance.weights]
    return [f"results/{name}/attributes.safetensors"] * (distance.name == "attributes")


def gaussians(name: str, study: TextToImageStudy) -> list[str]:
    """Return the Gaussians of latents, which predict the response to perturbations, of a study that has them."""
    if not teleport_files.has_sweep(study):
        return []
    return [f"results/{name}/gaussians/{teleport_files.GAUSSIANS['gaussians']}"]


def gaussian_of_prompts(study: TextToImageStudy) -> list[int]:
    """Return for each prompt the place of its Gaussian in `gaussians`; 0, that of all latents, if it has none."""
    known = list(study.teleport.known) if study.teleport else []
    return [1 + known.index(one) if one in known else 0 for one in study.prompts]


def labels(study: TextToImageStudy) -> dict[str, str]:
    """Return the labels of the samplers, by id, the main one first; without steps where a kind occurs once."""
    kinds = [choice.name for choice in study.trajectories.samplers]
    return {
        choice.id: choice.kind.label if kinds.count(choice.name) == 1 else choice.label
        for choice in study.trajectories.samplers
    }


def label(study: TextToImageStudy) -> str:
    """Return the label of the main sampler and scale."""
    return f"{study.trajectories.main.sampler.label}, guidance {study.trajectories.main.guidance:g}"


def prompt(study: TextToImageStudy) -> str:
    """Return the prompt of single examples."""
    return study.prompts[study.figures.prompt]


def shown_seeds(study: TextToImageStudy) -> list[int]:
    """Return the seeds of single examples: the study's, the second and the last one (100, 101 and 107 in the paper)."""
    seeds = study.trajectories.seed_range
    return list(dict.fromkeys([study.seed_shown, seeds[1], seeds[-1]]))


def shown_pair(study: TextToImageStudy) -> list[int]:
    """Return the two seeds whose endpoint estimates are drawn step by step (Fig. 27, 28)."""
    seeds = study.trajectories.seed_range
    return list(dict.fromkeys([seeds[1], seeds[-1]]))


def cases(study: TextToImageStudy) -> list[tuple[int, int]]:
    """Return seed and component (from 0; -1 for random) of the images of perturbed trajectories, as Fig. 5 D and 19-21."""
    numbers, other = components(study), study.trajectories.seed_range[1]
    found = [(study.seed_shown, numbers[-1]), (other, numbers[max(0, len(numbers) - 2)]), (other, -1)]
    return [*found, *((study.seed_shown, number) for number in numbers[:2])]


def components(study: TextToImageStudy) -> list[int]:
    """Return the components along which trajectories are perturbed, from 0."""
    return study.perturbation.numbers(study.trajectories.main.sampler.steps)


def view_settings(study: TextToImageStudy) -> dict[str, Any]:
    """Return the settings of the decoded trajectories."""
    return {
        "prompt": study.figures.prompt,
        "seeds": shown_seeds(study),
        "components": COMPONENTS,
        "around": AROUND,
        "plane": list(PLANE),
        "strengths": list(MOVES),
        "compute": study.compute(),
    }


def perturbation_settings(study: TextToImageStudy, sampler: str, scale: str) -> dict[str, Any]:
    """Return the settings of the perturbations of a sampler's id and a scale's name."""
    run, stage = files.run_of(study, sampler, scale), study.perturbation
    return {
        "sampler": run.sampler.model_dump(),
        "guidance": run.guidance,
        "prompts": list(study.prompts),
        "prompt": study.figures.prompt,
        "shown": [list(case) for case in dict.fromkeys(cases(study))],
        "components": components(study),
        "random": stage.random,
        "steps": stage.steps(run.sampler.steps),
        "strengths": list(stage.strengths),
        "prompt_count": stage.prompts,
        "gaussians": gaussian_of_prompts(study),
        "seeds": stage.seeds,
        "distance": study.distance_used.name,
        "batch_size": study.trajectories.batch_size,
        "compute": study.compute(),
    }


def comparison_settings(study: TextToImageStudy) -> dict[str, Any]:
    """Return the settings of the comparison of samplers and scales."""
    return {
        "labels": labels(study),
        "guidance": list(study.trajectories.guidance),
        "prompt": study.figures.prompt,
        "examples": EXAMPLES,
        "distance": study.distance_used.name,
        "compute": study.compute(),
    }


def claim_settings(study: TextToImageStudy) -> dict[str, Any]:
    """Return the settings of the table of claims."""
    return {
        "labels": labels(study),
        "guidance": list(study.trajectories.guidance),
        "scale": study.trajectories.main.guidance,
        "perturbed": [run.guidance for run in perturbed_runs(study)],
    }


def geometry_names(study: TextToImageStudy) -> dict[str, Any]:
    """Return the names of the rows of the table of geometry."""
    return {"names": [f"{run.sampler.id}, guidance {run.guidance:g}" for run in ordered(study)]}
