"""Costs estimated from a study file against calls counted, the paper's own numbers, and a plan made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from scripts import jump_ahead, perturb_trajectories, sample_teleport, sample_trajectories, solve_flow, solve_jumps
from snakemake_provenance.plan import Job
from tests.helpers.bases import make_basis
from underpainting import denoisers, meter
from underpainting.analysis import perturbation
from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser, Denoiser
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.noise import schedules
from underpainting.noise.levels import NoiseLevel
from underpainting.quality import reference_solution
from underpainting.samplers import registry
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.walk import Sampler, sample
from underpainting.theory.gaussian import GaussianDenoiser, coloured_noise
from underpainting.theory.isotropic import IsotropicDenoiser
from underpainting_workflow import forecast
from underpainting_workflow.studies import SamplerChoice, Study, costs, files, sizes
from underpainting_workflow.usage.record import Record, State, write

TINY = Path(__file__).parents[1] / "studies" / "tiny.yaml"
NAMES = [name for name, kind in SAMPLERS.items() if not kind.relative]
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
    """Table 5: CIFAR-10, Heun with 18 steps; 50,000 images for each number of skipped steps."""
    assert {steps: costs.calls(choice_of("heun", 18), steps) for steps in TABLE_5} == TABLE_5
    study = study_with(
        teleport={"samplers": [{"name": "heun", "steps": 18}], "seeds": 50_000, "skipped_steps": list(TABLE_5)}
    )
    shards = [{"sampler": "heun-18", "skipped_steps": str(steps), "first": "0", "stop": "50000"} for steps in TABLE_5]
    assert sum(costs.network_calls("sample_teleport", study, shard) for shard in shards) == 13_450_000


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_calls_of_perturbations_are_those_made(basis: Eigenbasis, name: str) -> None:
    study = study_with(
        trajectories={"samplers": [{"name": name, "steps": 6}]}, perturbation={"progress": [0.0, 0.5, 0.9]}
    )
    settings, sampler = study.perturbation, Sampler(name, 6, DDIMScheduler())
    directions = perturbation.make_directions(
        basis, [number - 1 for number in settings.components], settings.random, settings.off_manifold, seed=0
    )
    counting, steps = ImageCounter(GaussianDenoiser(basis)), settings.steps(6)
    noise = initial_noise(range(settings.seeds), basis.image_shape).double()
    with torch.inference_mode():
        states = perturbation.unperturbed_states(sampler, counting, noise, steps)
        for step in steps:
            perturbation.perturb(sampler, counting, states[step], step, directions, 0.5)
    assert costs.network_calls("perturb_trajectories", study, {"sampler": f"{name}-6"}) == counting.images


def network_folder(tmp_path: Path, network: UNet2DModel) -> dict[str, str]:
    """Stands in for a network that was trained: random weights; and the basis of Gaussian images of its size."""
    denoisers.save_pipeline(network, DDIMScheduler(clip_sample=False), tmp_path / "denoiser")
    eigenbasis.save(
        replace(make_basis(64, [1.0, 0.3, 0.1], 0), image_shape=(1, 8, 8)), tmp_path / "eigenbasis.zarr.zip"
    )
    folder = tmp_path / "denoiser"
    return {
        "index": str(folder / "model_index.json"),
        "weights": str(folder / "unet/diffusion_pytorch_model.safetensors"),
        "scheduler": str(folder / "scheduler/scheduler_config.json"),
        "eigenbasis": str(tmp_path / "eigenbasis.zarr.zip"),
        "solution": str(tmp_path / "solution.zarr.zip"),
    }


def spent() -> int:
    """What networks were asked for since the last time, which is what the job had planned."""
    work = meter.reading()
    meter.reset()
    assert work.evaluations == work.evaluations_planned
    return work.evaluations


def squared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.square(one.clip(-1, 1).astype(float) - other).mean((1, 2, 3))


def test_solutions_cost_what_they_call_and_are_of_the_seeds_that_they_say(tmp_path: Path, network: UNet2DModel) -> None:
    """The sweeps have other seeds: of 3 to 8 the network's own images are solved, of 6 to 17 there are jumps."""
    study = study_with(
        teleport={"first_seed": 3, "skipped_steps": [0, 2, 4], "solution": {"seeds": 6, "steps": 5}, "batch_size": 4},
        low_nfe={"first_seed": 6, "shard_size": 5, "jumps": [{"name": "isotropic", "skipped_percent": [50, 80]}]},
    )
    inputs: dict[str, Any] = network_folder(tmp_path, network)
    meter.reset()
    settings = files.solution.settings(study)
    solve_flow.main(inputs, inputs["solution"], "tiny", settings, Compute("cpu"))
    assert spent() == costs.network_calls("solve_flow", study, {}) == 6 * 9
    estimated = costs.stored_bytes("solve_flow", study, {})
    assert estimated and 1 / 1.3 < estimated / Path(inputs["solution"]).stat().st_size < 1.3
    own = artifacts.load(inputs["solution"])
    assert own["seed"].values.tolist() == [3, 4, 5, 6, 7, 8]

    config: Any = files.solution.jump_settings(study)
    assert [entry[:2] for entry in config["landed"]] == [["isotropic", 1]], "the shard of 6 to 10 alone has any of them"
    states = str(tmp_path / "seeds_6-11.zarr.zip")
    jump = {"name": "isotropic", "skipped_percent": [50, 80], "batch_size": 4}
    jump_ahead.main(inputs, [], states, "tiny", range(6, 11), jump)
    solve_jumps.main(inputs, [states], str(tmp_path / "jumps.zarr.zip"), "tiny", config, Compute("cpu"))
    assert spent() == costs.network_calls("solve_jumps", study, {})
    found = artifacts.load(tmp_path / "jumps.zarr.zip")
    assert found["jump"].values.tolist() == ["gaussian"] * 2 + ["isotropic"] * 2
    assert found["skipped_steps"].values.tolist() == [2, 4, 0, 0]
    assert found["skipped_percent"].values.tolist() == [0, 0, 50, 80]
    errors = found["squared_error"].values
    np.testing.assert_array_equal(np.isnan(errors), [[False] * 6] * 2 + [[True] * 3 + [False] * 3] * 2)

    landed = artifacts.load(states)
    denoiser, _ = denoisers.load_denoiser(tmp_path / "denoiser", Compute("cpu"))
    schedule = schedules.load_schedule(inputs["scheduler"])
    level = NoiseLevel(*(float(landed[name][1]) for name in ("alpha", "sigma")))
    steps = study.teleport.solution.steps_after(0.8)
    with torch.inference_mode():
        start = torch.from_numpy(landed["state"].values[:3, 1])
        images = reference_solution.solve(denoiser, schedule, start, level, steps).numpy()
    np.testing.assert_allclose(errors[3, 3:], squared(images, own["images"].values[3:]), rtol=1e-4)


def test_trajectories_of_the_relative_sampler_begin_where_the_gaussian_leads(
    tmp_path: Path, network: UNet2DModel
) -> None:
    study = study_with(trajectories={"samplers": [{"name": "ddim", "steps": 6}, {"name": "relative", "steps": 4}]})
    inputs, output = network_folder(tmp_path, network), str(tmp_path / "seeds_0-8.zarr.zip")
    config = {"sampler": study.trajectories.samplers[1].model_dump(), "batch_size": 3}
    meter.reset()
    sample_trajectories.main(inputs, output, "tiny", range(8), config, Compute("cpu"))
    wildcards = {"sampler": "relative-4", "first": "0", "stop": "8"}
    assert spent() == costs.network_calls("sample_trajectories", study, wildcards) == 8 * 4
    found, basis = artifacts.load(output), eigenbasis.load(inputs["eigenbasis"])
    sampler = Sampler("relative", 4, DDIMScheduler(clip_sample=False), basis)
    assert found["sigma"].values.tolist() == sampler.grid.sigma.tolist()
    assert "eigenbasis" in artifacts.provenance(found)["model"]
    start = sampler.start(initial_noise(range(8), (1, 8, 8)))
    np.testing.assert_allclose(found["state"].values[:, 0], start.numpy(), atol=1e-5)


def test_a_coloured_start_is_that_of_trajectories_and_of_the_perturbed_ones(
    tmp_path: Path, network: UNet2DModel
) -> None:
    samplers = [{"name": "ddim", "steps": 6}, {"name": "ddim", "steps": 6, "coloured_start": True}]
    study = study_with(trajectories={"samplers": samplers})
    inputs = network_folder(tmp_path, network)
    states, gains, output = [], [], str(tmp_path / "found.zarr.zip")
    for choice in study.trajectories.samplers:
        needed = ["results/tiny/eigenbasis.zarr.zip"] * choice.coloured_start
        assert files.trajectories.basis("tiny", study, choice.id) == needed
        config = {"sampler": choice.model_dump(), "batch_size": 8, "first_seed": 0}
        sample_trajectories.main(inputs, output, "tiny", range(8), config, Compute("cpu"))
        states.append(artifacts.load(output)["state"].values)
        config |= {**study.perturbation.model_dump(exclude={"progress"}), "steps": [2]}
        perturb_trajectories.main(inputs, output, "tiny", config, Compute("cpu"))
        gains.append(artifacts.load(output)["state"].values[0, ..., 3:])
    basis, level = eigenbasis.load(inputs["eigenbasis"]), Sampler("ddim", 6, DDIMScheduler()).grid[0]
    start = coloured_noise(basis, initial_noise(range(8), (1, 8, 8)), level).numpy()
    np.testing.assert_allclose(states[1][:, 0], start, atol=1e-6)
    assert np.abs(states[1][:, 0] - states[0][:, 0]).max() > 1e-3
    assert gains[0].shape == gains[1].shape and np.abs(gains[1] - gains[0]).max() > 1e-6


def test_a_study_holds_the_eigenbasis_where_a_sampler_or_its_grid_needs_it() -> None:
    alone = {"samplers": ["unipc"], "grids": ["time"]}
    held = sizes.sizes(study_with(low_nfe=alone))
    assert held["samplers"] == 0 < held["basis"]
    relative = {"samplers": [{"name": "relative", "steps": 4}]}
    coloured = {"samplers": [{"name": "ddim", "steps": 4, "coloured_start": True}]}
    for changes in (
        {"low_nfe": {**alone, "samplers": ["relative"]}},
        {"low_nfe": {**alone, "grids": ["covariance"]}},
        {"low_nfe": alone, "trajectories": relative},
        {"low_nfe": alone, "trajectories": coloured},
    ):
        assert sizes.sizes(study_with(**changes))["samplers"] == held["basis"]


def test_sweeps_without_a_seed_in_common_need_no_landings() -> None:
    study = study_with(low_nfe={"first_seed": 10_000})
    assert files.solution.landed_files("tiny", study) == []
    config: Any = files.solution.jump_settings(study)
    assert config["landed"] == []
    assert costs.network_calls("solve_jumps", study, {}) == study.teleport.solution.seeds * registry.calls(
        "heun", study.teleport.solution.steps_after(2 / 6)
    )


def test_no_flow_is_solved_after_jumps_of_stochastic_samplers() -> None:
    choices = [{"name": "ddim", "steps": 6}, {"name": "ddpm", "steps": 6}]
    assert [start[0] for start in files.solution.truncated(study_with(teleport={"samplers": choices}))] == ["ddim-6"]


def test_the_null_models_sweep_costs_what_it_calls(tmp_path: Path, network: UNet2DModel) -> None:
    study = study_with(teleport={"null_seeds": 20, "skipped_steps": [0, 2, 4]})
    inputs = network_folder(tmp_path, network)
    config = {"sampler": {"name": "ddim", "steps": 6}, "jump": "isotropic", "batch_size": 8}
    output = str(tmp_path / "skipped_2.zarr.zip")
    meter.reset()
    sample_teleport.main(inputs, output, "tiny", range(20), 2, config, Compute("cpu"))
    wildcards = {"sampler": "ddim-6", "first": "0", "stop": "20", "skipped_steps": "2"}
    assert spent() == costs.network_calls("sample_teleport", study, wildcards) == 20 * 4
    found = artifacts.load(output)
    basis, sampler = eigenbasis.load(inputs["eigenbasis"]), Sampler("ddim", 6, DDIMScheduler(clip_sample=False))
    denoiser, _ = denoisers.load_denoiser(tmp_path / "denoiser", Compute("cpu"))
    with torch.inference_mode():
        begin = sampler.start(initial_noise(range(8), (1, 8, 8)))
        state = IsotropicDenoiser(basis).state(begin, sampler.grid[0], sampler.grid[2])
        images = sample(sampler, denoiser, state, 2).clamp(-1, 1)
    np.testing.assert_allclose(found["images"].values[:8], images.numpy(), atol=1e-5)


def test_the_null_models_shards_hold_its_own_seeds_alone() -> None:
    study = study_with(teleport={"null_seeds": 20, "shard_size": 8})
    own = files.sweep.features("tiny", study, "ddim-6", 2)
    null = files.sweep.features("tiny", study, "ddim-6", 2, "null")
    ranges = [[file.rsplit("seeds_")[1].split(".")[0] for file in listed] for listed in (own, null)]
    assert ranges == [["0-8", "8-16", "16-24"], ["0-8", "8-16", "16-20"]]
    plain = files.sweep.plain_features("tiny", study, "ddim-6", "2", "null")
    assert [file.rsplit("/", 1)[1] for file in plain] == [file.rsplit("/", 1)[1] for file in own]
    assert all("/teleport/ddim-6/skipped_0/" in file for file in plain)


def test_calls_of_early_checkpoints() -> None:
    """Two snapshots and the trained network, each with 6 steps and with 4; the trained one's 6 once more as the target."""
    assert costs.network_calls("measure_early_checkpoints", study_with(), {"sampler": "ddim-6"}) == 24 * (
        6 + 3 * (6 + 4)
    )


def test_costs_of_trainings_compared() -> None:
    """Each low_nfe is a training of its own; the job of a form and seed samples from all of them."""
    content = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    study = Study.model_validate({**content, "residual": {"training_steps": [3, 5], "images": 17}})
    assert costs.images_trained("train_form", study, {"form": "none", "seed": "0", "steps": "5"}) == 5 * 16
    assert costs.network_calls("measure_residual", study, {"form": "none", "seed": "0"}) == 2 * 17 * 6


def test_rules_without_networks_cost_no_calls() -> None:
    assert costs.network_calls("fit_mixture", study_with(), {}) == 0
    assert costs.stored_bytes("fit_mixture", study_with(), {}) is None
    assert costs.images_trained("train_denoiser", study_with(), {}) == 6 * 16


def shard(first: int, runs: bool, memory: int) -> Job:
    wildcards = {"sampler": "ddim-6", "skipped_steps": "2", "first": f"{first}", "stop": f"{first + 24}"}
    return Job("sample_teleport", [], [], [], runs, "", wildcards, resources={"mem_mb": memory, "runtime": 10})


def test_a_forecast_tells_what_is_left_apart_from_the_whole() -> None:
    train = Job("train_denoiser", [], [], [], True, "")
    rows = forecast.forecast(
        [train, shard(0, False, 900), shard(24, True, 700)], study_with(), {"sample_teleport": 8.0}, 2.0
    )
    training, teleport = rows
    assert (teleport.pending.jobs, teleport.all.jobs) == (1, 2)
    assert (teleport.pending.evaluations, teleport.all.evaluations) == (24 * 4, 2 * 24 * 4)
    assert (teleport.memory, teleport.runtime) == (700, 10)
    assert (training.seconds, teleport.seconds) == (3 * 6 * 16 / 2.0, 24 * 4 / 8.0)
    total = forecast.total(rows)
    assert (total.pending.jobs, total.seconds, total.memory) == (2, 144 + 12, 700)


def test_without_a_rate_there_are_no_hours() -> None:
    rows = forecast.forecast([shard(0, True, 1)], study_with(), {})
    assert rows[0].seconds is None and forecast.total(rows).seconds is None


def test_rates_are_those_of_jobs_that_are_done(tmp_path: Path) -> None:
    def record(name: str, rule: str, images: int, seconds: float, reported: State = State.DONE) -> None:
        work = meter.Work(1, images, seconds, 0, 0.0, images)
        file = tmp_path / "tiny" / f"{name}.use.json"
        file.parent.mkdir(exist_ok=True)
        time = "2026-01-01T00:01:00+00:00"
        write(Record(rule, name, reported, "host", 1, 1.0, time, 1.0, 60.0, 60.0, 100.0, 1, None, None, work), file)

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
