"""Evaluate the paper's claims about trajectories of latents on the study's measurements."""

from itertools import product
from typing import Any

from underpainting.io import artifacts
from underpainting_workflow.claims import latents, page
from underpainting_workflow.claims.claim import Claim
from underpainting_workflow.claims.latents import Geometries
from underpainting_workflow.runner import run

NOTE = (
    "Intervals by resampling prompts and seeds as clusters; n is the number of trajectories. The null value is the same quantity "
    "for a null model, which knows nothing about the claim; an exact one has no interval. Reproduced is `no` if the interval "
    "lies outside of the claim's bounds, `undecided` if it contains a bound, `trivial` if it lies within the bounds but the null "
    "model's interval does, too, `undecided` if it overlaps with the null model's, and `yes` otherwise. The paper's values "
    "are those of Stable Diffusion 1.5, PNDM with 51 times; bounds from its Table 2 are its values plus half a unit of the last "
    "digit. Bounds with the source `project target` are this project's own, not the paper's."
)


def by_run(files: list[str], config: dict[str, Any]) -> dict[str, dict[float, Any]]:
    """Open artifacts that are listed by sampler, then by scale."""
    found: dict[str, dict[float, Any]] = {name: {} for name in config["labels"]}
    for (name, scale), file in zip(product(config["labels"], config["guidance"]), files, strict=True):
        found[name][scale] = artifacts.load(file)
    return found


def gather(inputs: dict[str, list[str]], config: dict[str, Any]) -> list[Claim]:
    """Collect every claim."""
    common, of_data = (by_run(inputs[name], config) for name in ("geometry", "geometry_of_data"))
    perturbed = dict(zip(config["perturbed"], map(artifacts.load, inputs["perturbation"]), strict=True))
    finals = artifacts.load(inputs["finals"][0])
    return latents.claims(Geometries(common, of_data, config["labels"]), config["scale"], perturbed, finals)


def main(inputs: dict[str, list[str]], csv: str, html: str, config: dict[str, Any]) -> None:
    """Collect the claims, write CSV and HTML."""
    page.write(gather(inputs, config), csv, html, NOTE)


if __name__ == "__main__":
    run(main)
