"""Costs foretold from a study file against calls counted, the paper's own numbers, and a plan made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from underpainting import forecast
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser, Denoiser, GaussianDenoiser
from underpainting.measures import perturbation
from underpainting.provenance.plan import Job
from underpainting.sampling import SAMPLERS, Sampler, initial_noise, sample
from underpainting.studies import SamplerChoice, Study, costs
from underpainting.watching.record import Activity, Record, Request, State, write

TINY = Path(__file__).parents[1] / "studies" / "tiny.yaml"
NAMES = list(SAMPLERS)
DETERMINISTIC = [name for name in NAMES if not SAMPLERS[name].stochastic]
TABLE_5 = {0: 35, 1: 33, 2: 31, 3: 29, 4: 27, 5: 25, 6: 23, 7: 21, 8: 19, 10: 15, 12: 11}


def study_with(**changes: Any) -> Study:
    content = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    for key, value in changes.items():
        content[key].update(value)
    return Study.model_validate(content)


def choice_of(name: str, steps: int) -> SamplerChoice:
    return SamplerChoice.model_validate({"name": name, "steps": steps})


class ImageCounter:
    """Counts the images that a denoiser is asked for."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser, self.images = denoiser, 0

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        self.images += len(images)
        return self.denoiser(images, alpha, sigma)


@pytest.mark.parametrize("begin", [0, 3, 5])
@pytest.mark.parametrize("name", NAMES)
def test_calls_are_those_that_a_sampler_makes(basis: Eigenbasis, name: str, begin: int) -> None:
    counting = CountingDenoiser(GaussianDenoiser(basis))
    noise = initial_noise([0], basis.image_shape).double()
    sample(Sampler(name, 6, DDIMScheduler()), counting, noise, begin, seeds=[0])
    assert costs.calls(choice_of(name, 6), begin) == counting.calls


def test_the_papers_sweep_has_the_papers_calls() -> None:
    """Table 5: CIFAR-10, Heun with 18 steps; 50,000 images for each skip."""
    assert {skip: costs.calls(choice_of("heun", 18), skip) for skip in TABLE_5} == TABLE_5
    study = study_with(teleport={"samplers": [{"name": "heun", "steps": 18}], "seeds": 50_000, "skips": list(TABLE_5)})
    shards = [{"sampler": "heun-18", "skip": str(skip), "first": "0", "stop": "50000"} for skip in TABLE_5]
    assert sum(costs.network_calls("sample_teleport", study, shard) for shard in shards) == 13_450_000


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_calls_of_perturbations_are_those_made(basis: Eigenbasis, name: str) -> None:
    study = study_with(
        trajectories={"samplers": [{"name": name, "steps": 6}]}, perturbation={"progress": [0.0, 0.5, 0.9]}
    )
    push, sampler = study.perturbation, Sampler(name, 6, DDIMScheduler())
    pushes = perturbation.directions(
        basis, [number - 1 for number in push.components], push.random, push.off_manifold, seed=0
    )
    counting, steps = ImageCounter(GaussianDenoiser(basis)), push.steps(6)
    noise = initial_noise(range(push.seeds), basis.image_shape).double()
    with torch.inference_mode():
        states = perturbation.plain_states(sampler, counting, noise, steps)
        for step in steps:
            perturbation.perturb(sampler, counting, states[step], step, pushes, 0.5)
    assert costs.network_calls("perturb_trajectories", study, {"sampler": f"{name}-6"}) == counting.images


def test_calls_of_young_networks() -> None:
    """Two snapshots and the trained network, each with 6 steps and with 4; the trained one's 6 once more as the target."""
    assert costs.network_calls("measure_young", study_with(), {"sampler": "ddim-6"}) == 24 * (6 + 3 * (6 + 4))


def test_costs_of_trainings_compared() -> None:
    """Each budget is a training of its own; the job of a form and seed samples from all of them."""
    content = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    study = Study.model_validate({**content, "residual": {"budgets": [3, 5], "images": 17}})
    assert costs.images_trained("train_form", study, {"form": "none", "seed": "0", "steps": "5"}) == 5 * 16
    assert costs.network_calls("measure_residual", study, {"form": "none", "seed": "0"}) == 2 * 17 * 6


def test_rules_without_networks_cost_no_calls() -> None:
    assert costs.network_calls("fit_mixture", study_with(), {}) == 0
    assert costs.stored_bytes("fit_mixture", study_with(), {}) is None
    assert costs.images_trained("train_denoiser", study_with(), {}) == 6 * 16


def shard(first: int, runs: bool, memory: int) -> Job:
    wildcards = {"sampler": "ddim-6", "skip": "2", "first": f"{first}", "stop": f"{first + 24}"}
    return Job("sample_teleport", [], [], [], runs, "", wildcards, resources={"mem_mb": memory, "runtime": 10})


def test_a_forecast_tells_what_is_left_apart_from_the_whole() -> None:
    train = Job("train_denoiser", [], [], [], True, "")
    rows = forecast.forecast(
        [train, shard(0, False, 900), shard(24, True, 700)], study_with(), {"sample_teleport": 8.0}, 2.0
    )
    training, teleport = rows
    assert (teleport.run.jobs, teleport.whole.jobs) == (1, 2)
    assert (teleport.run.calls, teleport.whole.calls) == (24 * 4, 2 * 24 * 4)
    assert (teleport.memory, teleport.runtime) == (700, 10)
    assert (training.seconds, teleport.seconds) == (3 * 6 * 16 / 2.0, 24 * 4 / 8.0)
    whole = forecast.total(rows)
    assert (whole.run.jobs, whole.seconds, whole.memory) == (2, 144 + 12, 700)


def test_without_a_rate_there_are_no_hours() -> None:
    rows = forecast.forecast([shard(0, True, 1)], study_with(), {})
    assert rows[0].seconds is None and forecast.total(rows).seconds is None


def test_rates_are_those_of_jobs_that_are_done(tmp_path: Path) -> None:
    def record(name: str, rule: str, images: int, seconds: float, told: State = State.DONE) -> None:
        work = Activity(1, images, seconds, 0, 0.0, images, None, 0.0)
        times = {"started": "2026-01-01T00:00:00+00:00", "written": "2026-01-01T00:01:00+00:00"}
        used = {"startup_seconds": 1.0, "wall_seconds": 60.0, "cpu_seconds": 60.0, "memory_mb": 100.0}
        file = tmp_path / "tiny" / f"{name}.use.json"
        file.parent.mkdir(exist_ok=True)
        write(
            Record(rule, name, told, "host", 1, 1, **times, **used, requested=Request(1, None, None), work=work), file
        )

    record("a", "sample_teleport", 100, 1.0)
    record("b", "sample_teleport", 500, 2.0)
    record("c", "sample_trajectories", 300, 6.0)
    record("d", "sample_trajectories", 1, 60.0, State.RUNNING)
    record("e", "fit_mixture", 0, 0.0)
    (tmp_path / "tiny" / "f.use.json").write_text("half a rec")
    assert forecast.measured_rates(tmp_path, ["tiny"]) == (
        {"sample_teleport": 200.0, "sample_trajectories": 50.0},
        100.0,
    )
    assert forecast.measured_rates(tmp_path, ["other"]) == ({}, None)
