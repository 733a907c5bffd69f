"""The pipeline's designs, jumps and samplers, for networks of every kind: its images are the workflow's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from torch import Generator, Tensor

from scripts.jump_ahead import landed
from tests.helpers.pipelines import (
    basis,
    images_of,
    in_network_range,
    pipeline,
    quiet,
    schedule,
    stored,
    tells,
    unet,
    workflow,
)
from underpainting import denoisers
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.residual import ResidualNetwork
from underpainting.noise import schedules
from underpainting.pipeline import TeleportPipeline
from underpainting.samplers import registry
from underpainting.samplers.walk import sample
from underpainting.teleport import hybrid_sampler
from underpainting.teleport.jumps import FlowJump, GaussianJump, Jump
from underpainting.theory.mixtures import Mixture, MixtureDenoiser, Mode

SEEDS = [3, 5, 8]
SHAPE = (1, 8, 8)
SCHEDULES: dict[str, Any] = {
    "variance preserving": schedule("v_prediction"),
    "EDM": EDMEulerScheduler(sigma_data=0.4),
    "flow matching": FlowMatchEulerDiscreteScheduler(),
}
OTHER_PATHS = ["EDM", "flow matching"]


def folder_of(kind: str, folder: Path) -> Path:
    """As the workflow writes it."""
    denoisers.save_pipeline(unet(), SCHEDULES[kind], folder)
    return folder


def loaded(folder: Path) -> TeleportPipeline:
    return quiet(TeleportPipeline.from_pretrained(folder, basis=basis()))


def regridded(
    folder: Path, jump: Jump, sampler: str, steps: int, percent: int, seeds: Sequence[int] = SEEDS
) -> np.ndarray[Any, Any]:
    """The images of the workflow's sweep over few calls, whose scripts jump and sample one after the other."""
    network = schedules.load_schedule(folder / "scheduler" / "scheduler_config.json")
    denoiser, _ = denoisers.load_denoiser(folder, Compute("cpu"))
    state = torch.from_numpy(landed(jump, network, list(seeds), SHAPE, [percent])["state"].values[:, 0])
    with torch.inference_mode():
        images = sample(
            hybrid_sampler.regridded(sampler, network, steps, 1 - percent / 100), denoiser, state, seeds=seeds
        )
    return images.clamp(-1, 1).numpy()


def mixture() -> Mixture:
    modes = [Mode.of_basis(images_of(SHAPE, seed)) for seed in (1, 2)]
    return Mixture(torch.tensor([0.3, 0.7]), modes, SHAPE)


# --- kinds of networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OTHER_PATHS)
@pytest.mark.parametrize("sampler", [None, "heun", "pndm", "ddpm", "edmchurn"])
def test_networks_of_other_paths_give_the_workflow_s_images(kind: str, sampler: str | None, tmp_path: Path) -> None:
    """Their schedulers alone stand for Euler; every other sampler is named in the call."""
    pipe = loaded(folder_of(kind, tmp_path))
    found = pipe(seeds=SEEDS, num_inference_steps=10, skipped_steps=4, sampler=sampler, output_type="pt")
    expected = workflow(tmp_path, SEEDS, 4, sampler or "euler")
    assert tells(expected)
    assert np.abs(in_network_range(found.images) - expected).max() < 1e-5
    assert found.nfe == registry.calls(sampler or "euler", 6)


@pytest.mark.parametrize("kind", OTHER_PATHS)
def test_networks_of_other_paths_travel_with_their_basis(kind: str, tmp_path: Path) -> None:
    pipe = loaded(folder_of(kind, tmp_path / "study"))
    pipe.save_pretrained(tmp_path / "saved")
    again = quiet(TeleportPipeline.from_pretrained(tmp_path / "saved"))
    options: dict[str, Any] = {"seeds": [1], "num_inference_steps": 4, "skipped_steps": 2, "output_type": "np"}
    assert np.abs(again(**options).images - pipe(**options).images).max() < 1e-6


def test_the_callback_hears_the_time_that_the_network_is_told() -> None:
    expected = {"EDM": lambda ratio: np.log(ratio) / 4, "flow matching": lambda ratio: 1000 * ratio / (1 + ratio)}
    for kind, time_of in expected.items():
        heard: list[float] = []
        pipe = pipeline(scheduler=SCHEDULES[kind])
        look = lambda _pipe, _step, time, tensors: heard.append(time) or tensors  # noqa: E731, B023
        grid = pipe(
            seeds=[0], num_inference_steps=5, skipped_steps=2, callback_on_step_end=look, return_trajectory=True
        ).trajectory.grid
        assert heard == pytest.approx([time_of(level.ratio) for level in list(grid)[:-1]])


def test_classes_reach_a_network_of_another_path() -> None:
    pipe = pipeline(unet=unet(num_class_embeds=2), scheduler=SCHEDULES["EDM"], basis=basis(classes=2))
    options: dict[str, Any] = {"seeds": [0, 1], "num_inference_steps": 4, "skipped_steps": 2, "output_type": "np"}
    one, other = (pipe(class_labels=[label, 1], **options).images for label in (0, 1))
    assert np.abs(one[0] - other[0]).max() > 1e-3
    assert np.abs(one[1] - other[1]).max() < 1e-5


def test_a_network_on_a_gaussian_is_read_but_not_written(tmp_path: Path) -> None:
    network = ResidualNetwork.untrained(unet(), stored().all_images, SCHEDULES["variance preserving"], "velocity")
    denoisers.save_pipeline(network, SCHEDULES["variance preserving"], tmp_path / "study")
    pipe = loaded(tmp_path / "study")
    found = pipe(seeds=SEEDS, num_inference_steps=10, skipped_steps=4, output_type="pt")
    assert np.abs(in_network_range(found.images) - workflow(tmp_path / "study", SEEDS, 4)).max() < 1e-5
    with pytest.raises(ValueError, match="diffusers cannot write a ResidualNetwork; keep the folder"):
        pipe.save_pretrained(tmp_path / "saved")


@pytest.mark.parametrize("kind", OTHER_PATHS)
def test_a_scheduler_that_hides_the_network_s_kind_is_refused(kind: str, tmp_path: Path) -> None:
    pipe = pipeline(scheduler=SCHEDULES[kind])
    pipe.scheduler = HeunDiscreteScheduler.from_config(pipe.scheduler.config)
    message = (
        f"belongs to variance preserving networks, this one is of the kind {kind}; .* as in pipe\\(sampler='heun'\\)"
    )
    with pytest.raises(ValueError, match=message):
        pipe(seeds=[0])
    with pytest.raises(ValueError, match=message):
        pipe.save_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (FlowMatchEulerDiscreteScheduler(shift=3.0), "own settings only; leave shift=3.0 at the default"),
        (EDMEulerScheduler(sigma_schedule="exponential"), "leave sigma_schedule='exponential' at the default"),
    ],
)
def test_a_grid_that_the_library_does_not_know_is_refused(scheduler: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline(scheduler=scheduler)(seeds=[0])


# --- designs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("sampler", ["ddim", "unipc", "heun", "ddpm"])
def test_a_new_grid_gives_the_images_of_the_workflow_s_sweep(kind: str, sampler: str, tmp_path: Path) -> None:
    pipe = loaded(folder_of(kind, tmp_path))
    found = pipe(
        seeds=SEEDS, num_inference_steps=6, design="regrid", skipped_fraction=0.4, sampler=sampler, output_type="pt"
    )
    expected = regridded(tmp_path, GaussianJump(stored().all_images), sampler, 6, 40)
    assert tells(expected)
    assert np.abs(in_network_range(found.images) - expected).max() < 1e-5
    assert (found.nfe, found.skipped_steps, found.skipped_fraction) == (registry.calls(sampler, 6), 0, 0.4)


def test_a_new_grid_begins_where_the_jump_lands_and_keeps_its_calls() -> None:
    pipe = pipeline(scheduler=SCHEDULES["flow matching"])
    walked = pipe(
        seeds=[0], num_inference_steps=5, design="regrid", skipped_fraction=0.6, return_trajectory=True
    ).trajectory
    times = [level.sigma for level in walked.grid]
    assert times == pytest.approx([0.999 * 0.4 * left / 5 for left in (5, 4, 3, 2, 1, 0)])
    assert walked.first == 0


def test_a_new_grid_without_a_jump_begins_at_the_noisiest_level() -> None:
    pipe = pipeline(scheduler=SCHEDULES["EDM"])
    walked = pipe(
        seeds=[4], num_inference_steps=3, design="regrid", skipped_fraction=0, return_trajectory=True
    ).trajectory
    noise = torch.randn(SHAPE, generator=Generator().manual_seed(4))
    assert torch.equal(walked.states[0, 0], 80.0 * noise)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"design": "halve"}, "design 'halve' is unknown; use truncate or regrid"),
        ({"design": "regrid", "skipped_steps": 3}, "the design regrid takes skipped_fraction, a fraction"),
        ({"design": "regrid", "skipped_fraction": 1.0}, "skipped_fraction is 1; give a number from 0"),
        ({"sampler": "plms"}, "unknown sampler 'plms'; known are ddim"),
    ],
)
def test_designs_and_samplers_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline()(**{"seeds": [0], "num_inference_steps": 5, **options})


# --- jumps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", ["truncate", "regrid"])
def test_a_mixture_carries_the_noise_as_in_the_workflow(design: Any, tmp_path: Path) -> None:
    folder, jump = folder_of("variance preserving", tmp_path), FlowJump(MixtureDenoiser(mixture()))
    options: dict[str, Any] = {"seeds": SEEDS, "num_inference_steps": 5, "skipped_fraction": 0.6, "design": design}
    found = loaded(folder)(**options, jump=jump, sampler="dpmsolverpp", return_trajectory=True, output_type="pt")
    plain = loaded(folder)(**options, sampler="dpmsolverpp", return_trajectory=True)
    assert (found.trajectory.states[:, 0] - plain.trajectory.states[:, 0]).abs().max() > 0.1
    assert (found.nfe, plain.nfe) == ((2, 2) if design == "truncate" else (5, 5))
    if design == "regrid":
        expected = regridded(folder, jump, "dpmsolverpp", 5, 60)
        assert np.abs(in_network_range(found.images) - expected).max() < 1e-5


def test_a_jump_of_one_s_own_is_asked_for_the_level_where_the_sampler_begins() -> None:
    asked: list[tuple[float, float]] = []

    def still(images: Tensor, source: Any, target: Any) -> Tensor:
        asked.append((source.sigma, target.sigma))
        return images

    pipe = pipeline(scheduler=SCHEDULES["flow matching"])
    walked = pipe(seeds=[0], num_inference_steps=5, skipped_steps=2, jump=still, return_trajectory=True).trajectory
    assert asked == [(0.999, walked.grid[0].sigma)]


# --- stochastic samplers ---------------------------------------------------------------------------------------------


def test_a_generator_also_gives_the_noise_that_a_stochastic_sampler_adds() -> None:
    pipe = pipeline(scheduler=SCHEDULES["EDM"])

    def images(sampler: str, seed: int) -> Any:
        generators = [Generator().manual_seed(seed), Generator().manual_seed(1)]
        return pipe(generator=generators, sampler=sampler, num_inference_steps=6, skipped_steps=2, output_type="np")

    one, again, other = images("ddpm", 0), images("ddpm", 0), images("ddpm", 2)
    assert np.array_equal(one.images, again.images)
    assert one.seeds is None
    assert np.abs(one.images[0] - other.images[0]).max() > 1e-2
    assert np.abs(one.images[1] - other.images[1]).max() < 1e-5
    single = [pipe(generator=Generator().manual_seed(0), batch_size=2, sampler="ddpm", output_type="np") for _ in "ab"]
    assert np.array_equal(single[0].images, single[1].images)


def test_a_deterministic_sampler_takes_from_a_generator_what_diffusers_takes() -> None:
    generator, other = Generator().manual_seed(0), Generator().manual_seed(0)
    pipeline()(generator=generator, batch_size=2, num_inference_steps=3, skipped_steps=1)
    torch.randn(2, *SHAPE, generator=other)
    assert torch.equal(generator.get_state(), other.get_state())
