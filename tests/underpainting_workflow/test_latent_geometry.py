"""What is perturbed, decoded and compared of a text-to-image study, from its file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from scripts import perturb_latents
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.io.errors import InputError
from underpainting.samplers.walk import Sampler
from underpainting_workflow import text_figures, text_preflight
from underpainting_workflow.studies import TextToImageStudy
from underpainting_workflow.studies.errors import from_validation
from underpainting_workflow.studies.text_to_image import costs, geometry
from underpainting_workflow.studies.text_to_image.perturbation import LatentPerturbation

VALID: dict[str, Any] = {
    "kind": "text_to_image",
    "title": "Words",
    "denoiser": {"source": "path", "path": "model"},
    "prompts": ("a cat", "a dog"),
    "trajectories": {
        "samplers": ({"name": "pndm", "steps": 50}, {"name": "lms", "steps": 50}, {"name": "ddim", "steps": 50}),
        "guidance": (1.0, 3.0, 7.5, 15.0),
        "seeds": 8,
    },
}


def study(**changes: Any) -> TextToImageStudy:
    from pydantic import ValidationError

    try:
        return TextToImageStudy.model_validate({**VALID, **changes})
    except ValidationError as error:
        raise from_validation(error, TextToImageStudy) from error


def test_the_defaults_are_those_of_the_paper() -> None:
    found = study()
    assert found.perturbation.steps(50) == list(range(5, 50, 5))
    assert geometry.components(found) == [1, 2, 4, 5]
    assert geometry.shown_seeds(found) == [100, 101, 107] and geometry.shown_pair(found) == [101, 107]
    assert geometry.cases(found)[:3] == [(100, 5), (101, 4), (101, -1)], "Fig. 19, 20, 21"
    assert [run.guidance for run in geometry.perturbed_runs(found)] == [1.0, 7.5]
    assert {run.sampler.id for run in geometry.pair_of_samplers(found)} == {"pndm-50", "ddim-50"}
    assert found.distance_used.name == "pixels" and geometry.distance_weights("words", found) == []


@pytest.mark.parametrize("steps", [3, 4, 6, 9])
def test_few_steps_have_fewer_components_and_times(steps: int) -> None:
    samplers = ({"name": "pndm", "steps": steps},)
    found = study(trajectories={**VALID["trajectories"], "samplers": samplers, "seeds": 2})
    numbers = geometry.components(found)
    assert numbers and max(numbers) < steps - 1
    assert set(LatentPerturbation().steps(steps)) <= set(range(1, steps))
    assert all(component in [*numbers, -1] for _, component in geometry.cases(found))


def test_a_study_with_captions_is_compared_in_the_features_of_its_classifier() -> None:
    found = study(dataset={"source": "painted_digits", "digits": "sklearn"})
    assert geometry.distance_weights("words", found) == ["results/words/attributes.safetensors"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"perturbation": {"guidance": (2.0,)}}, "2 is not among the scales"),
        ({"perturbation": {"components": (3, 50)}}, "component 50 does not exist"),
        ({"perturbation": {"components": (3, 2)}}, "is not ascending"),
        ({"perturbation": {"strengths": (0.1, 0.1)}}, "is not ascending"),
        ({"perturbation": {"strengths": (-0.1,)}}, "greater than 0"),
        ({"distance": {"name": "attributes"}}, "needs images with captions"),
        ({"distance": {"name": "lpips"}}, "weights"),
        ({"trajectories": {**VALID["trajectories"], "samplers": ({"name": "pndm", "steps": 2},)}}, "at least 3 steps"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        study(**changes)


def test_lpips_without_its_package_or_weights_is_refused_before_any_job(monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    found = study(distance={"name": "lpips", "weights": "squeezenet.pth"})
    assert geometry.distance_weights("words", found) == ["squeezenet.pth"]
    monkeypatch.setattr(text_preflight, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="not installed"):
        text_preflight.check_distance(found, Path("words.yaml"))
    monkeypatch.setattr(text_preflight, "find_spec", lambda name: name)
    with pytest.raises(InputError, match="no file squeezenet"):
        text_preflight.check_distance(found, Path("words.yaml"))


def test_perturbations_cost_a_walk_for_each_time_strength_and_direction() -> None:
    found = study()
    walks = 2 * 4 * (1 + 5 * 8)
    calls = sum(50 - step + 1 for step in range(5, 50, 5))  # PNDM calls twice at its first step
    assert costs.network_calls("perturb_latents", found, {"sampler": "pndm-50", "scale": "g1"}) == walks * calls
    assert costs.network_calls("perturb_latents", found, {"sampler": "pndm-50", "scale": "g7.5"}) == 2 * walks * calls
    assert costs.largest("perturb_latents", found) == 2 * walks * calls


def test_every_figure_has_a_rule_and_a_file_of_its_own() -> None:
    rules = [figure.rule for figure in text_figures.FIGURES]
    files = [figure.file for figure in text_figures.FIGURES]
    assert len(set(rules)) == len(rules) and len(set(files)) == len(files)


def test_perturbations_are_predicted_by_the_gaussian_of_their_prompt() -> None:
    """Along the first component of a prompt's Gaussian the gain of the image is that of Eq. 14."""
    vectors = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 16)))[0]
    bases = [
        Eigenbasis(torch.zeros(16), torch.from_numpy(vectors), variances, float(variances.sum()), (4, 2, 2))
        for variances in (torch.linspace(3, 1, 16).double(), torch.linspace(0.5, 0.1, 16).double())
    ]
    sampler = Sampler("ddim", 20, DDIMScheduler())
    config = {"components": [0], "random": 1, "steps": [5, 10], "gaussians": [0, 1]}
    experiment = perturb_latents.Experiment(None, sampler, None, bases, config)  # type: ignore[arg-type]
    directions = np.stack([vectors[:, 0], vectors[:, 15]])
    for prompt, variance in enumerate((3.0, 0.5)):
        found = perturb_latents.predicted(directions, prompt, experiment)
        level = sampler.grid[5]
        expected = (variance / (level.sigma**2 + variance * level.alpha**2)) ** 0.5
        assert float(found["predicted"][0, 0, 0, -1]) == pytest.approx(expected, rel=1e-5)
        assert np.isnan(found["predicted"].values[0, 1, :, :10]).all()
    assert perturb_latents.predicted(directions, 0, experiment._replace(bases=[])) == {}
