"""The relative sampler and the coloured start in the pipeline: its images are the library's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from tests.helpers.pipelines import basis, images_of, pipeline, quiet, schedule, stored, unet
from underpainting.denoisers import make_denoiser
from underpainting.noise.covariance_grid import covariance_grid
from underpainting.noise.schedules import schedule_of
from underpainting.pipeline import RelativeScheduler, TeleportPipeline
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.relative import variances_of
from underpainting.samplers.schedulers import spread
from underpainting.samplers.walk import Sampler, sample
from underpainting.teleport import choice
from underpainting.theory import gaussian

SEEDS = [3, 5]
SHAPE = (1, 8, 8)
SCHEDULES: dict[str, Any] = {
    "variance preserving": schedule("v_prediction"),
    "EDM": EDMEulerScheduler(sigma_data=0.4),
    "flow matching": FlowMatchEulerDiscreteScheduler(),
}


def made(pipe: TeleportPipeline, **options: Any) -> Any:
    chosen: dict[str, Any] = {"seeds": SEEDS, "num_inference_steps": 4, "sampler": "relative", "output_type": "pt"}
    return pipe(**{**chosen, "return_trajectory": True, **options})


def library(scheduler: Any, sampler: Sampler, state: Tensor, begin: int = 0) -> Tensor:
    with torch.no_grad():
        return sample(sampler, make_denoiser(unet(), scheduler), state, begin)


def last_states(found: Any) -> Tensor:
    states: Tensor = found.trajectory.states[:, -1]
    return states


@pytest.mark.parametrize("kind", SCHEDULES)
def test_the_images_are_the_library_s_without_another_jump(kind: str) -> None:
    scheduler = SCHEDULES[kind]
    sampler = Sampler("relative", 4, scheduler, stored().all_images)
    expected = library(scheduler, sampler, sampler.start(initial_noise(SEEDS, SHAPE)))
    for design in ("truncate", "regrid"):
        found = made(pipeline(scheduler=scheduler), design=design)
        assert float((last_states(found) - expected).abs().max()) < 1e-5
        assert (found.nfe, found.skipped_steps, found.skipped_fraction) == (4, 0, 0.0)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_every_candidate_of_a_choice_can_be_called(kind: str) -> None:
    scheduler, data = SCHEDULES[kind], stored().all_images
    pipe, denoiser = pipeline(scheduler=scheduler), make_denoiser(unet(), scheduler)
    for candidate in choice.candidates(schedule_of(scheduler), data, 4):
        with torch.no_grad():
            expected = choice.make_images(candidate, denoiser, scheduler, data, initial_noise(SEEDS, SHAPE))
        found = made(pipe, **candidate.arguments())
        torch.testing.assert_close(last_states(found), expected, rtol=1e-5, atol=1e-5)


def test_a_grid_is_one_of_regrid_and_must_be_known() -> None:
    with pytest.raises(ValueError, match="truncate keeps the sampler's own grid; give grid with design='regrid'"):
        made(pipeline(), grid="covariance")
    with pytest.raises(ValueError, match="unknown grid 'sigmoid'"):
        made(pipeline(), grid="sigmoid", design="regrid", sampler="ddim")


def test_a_fraction_to_skip_is_another_jump_with_all_steps_after_it() -> None:
    data, network = stored().all_images, schedule_of(schedule())
    grid = covariance_grid(network, 4, variances_of(data), 0.4)
    first = network.level(1.0)
    begin = gaussian.state(data, initial_noise(SEEDS, SHAPE) * spread(first), first, grid[0])
    expected = library(schedule(), Sampler.on("relative", grid, data), begin)
    found = made(pipeline(), design="regrid", skipped_fraction=0.6)
    assert found.nfe == 4
    torch.testing.assert_close(last_states(found), expected, rtol=1e-5, atol=1e-5)


def test_steps_to_skip_are_left_out_of_its_own_grid() -> None:
    data = stored().all_images
    sampler = Sampler("relative", 4, schedule(), data)
    start = sampler.start(initial_noise(SEEDS, SHAPE))
    begin = gaussian.state(data, start, sampler.grid[0], sampler.grid[2])
    found = made(pipeline(), skipped_steps=2)
    assert (found.nfe, found.skipped_fraction) == (2, 0.5)
    torch.testing.assert_close(last_states(found), library(schedule(), sampler, begin, 2), rtol=1e-5, atol=1e-5)


def test_its_scheduler_brings_basis_and_settings() -> None:
    """The network is that of the pipeline, whatever the basis."""
    plain, pipe = pipeline(), pipeline(basis=basis())
    pipe.scheduler = RelativeScheduler.from_config(schedule().config, basis=stored())
    found = made(pipe, sampler=None)
    assert torch.equal(last_states(found), last_states(made(plain)))
    pipe.scheduler = RelativeScheduler.from_config(schedule().config, basis=images_of(SHAPE, 4))
    other = made(pipe, sampler=None)
    expected = made(pipeline(basis=basis().of(stored_of(4))))
    assert torch.equal(last_states(other), last_states(expected))
    assert float((last_states(other) - last_states(found)).abs().max()) > 1e-3
    assert torch.equal(last_states(made(pipe)), last_states(found))
    pipe.scheduler = RelativeScheduler.from_config(schedule().config, basis=stored(), jump_first=False)
    assert made(pipe, sampler=None).trajectory.grid[0] == pytest.approx(schedule_of(schedule()).level(1.0))
    pipe.scheduler = RelativeScheduler.from_config(schedule().config, basis=images_of((1, 4, 4)))
    with pytest.raises(ValueError, match="the basis is one of 1 x 4 x 4 images, the network takes 1 x 8 x 8"):
        made(pipe, sampler=None)


def stored_of(seed: int) -> Any:
    from underpainting.basis.stored import StoredBasis

    return StoredBasis.of(images_of(SHAPE, seed), "noise")


def test_a_pipeline_travels_with_its_scheduler(tmp_path: Path) -> None:
    pipe = pipeline(scheduler=RelativeScheduler.from_config(schedule().config, basis=stored()))
    pipe.save_pretrained(tmp_path)
    loaded = quiet(TeleportPipeline.from_pretrained(tmp_path))
    assert isinstance(loaded.scheduler, RelativeScheduler)
    first, again = (last_states(made(one, sampler=None)) for one in (pipe, loaded))
    torch.testing.assert_close(first, again, rtol=1e-5, atol=1e-5)


def test_each_image_has_the_gaussian_of_its_class() -> None:
    pipe = pipeline(unet=unet(num_class_embeds=3), basis=basis(classes=3))
    both = last_states(made(pipe, class_labels=[2, 0]))
    for index, label in enumerate([2, 0]):
        alone = made(pipe, seeds=[SEEDS[index]], class_labels=label)
        assert float((both[index] - last_states(alone)[0]).abs().max()) < 1e-5 * float(both.abs().max())
    complete = pipeline(unet=unet(num_class_embeds=3), basis=basis())
    start = made(complete, class_labels=[2, 0]).trajectory.states[:, 0]
    assert float((made(pipe, class_labels=[2, 0]).trajectory.states[:, 0] - start).abs().max()) > 0.01


def test_it_cannot_clip() -> None:
    with pytest.raises(ValueError, match="Relative cannot clip endpoint estimates"):
        made(pipeline(), clip_sample=True)


# --- coloured start --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["ddim", "dpmsolverpp", "relative"])
def test_a_coloured_start_has_the_signal_of_the_first_level(sampler: str) -> None:
    data = stored().all_images
    found = made(pipeline(), sampler=sampler, skipped_steps=0, coloured_start=True).trajectory
    expected = gaussian.coloured_noise(data, initial_noise(SEEDS, SHAPE), found.grid[0])
    torch.testing.assert_close(found.states[:, 0], expected)
    white = made(pipeline(), sampler=sampler, skipped_steps=0).trajectory
    assert float((white.states[:, 0] - found.states[:, 0]).abs().max()) > 1e-4


@pytest.mark.parametrize("options", [{"skipped_steps": 2}, {"design": "regrid", "skipped_fraction": 0.6}], ids=str)
def test_a_jump_after_a_coloured_start_is_one_from_pure_noise(options: dict[str, Any]) -> None:
    data = stored().all_images
    found = made(pipeline(), sampler="ddim", coloured_start=True, **options).trajectory
    expected = gaussian.coloured_noise(data, initial_noise(SEEDS, SHAPE), found.grid[0])
    torch.testing.assert_close(found.states[:, 0], expected, rtol=1e-5, atol=1e-5)


def test_a_coloured_start_is_that_of_each_image_s_class() -> None:
    bases = stored(classes=2).classes
    pipe = pipeline(basis=basis(classes=2))
    found = made(pipe, sampler="ddim", skipped_steps=0, class_labels=[1, 0], coloured_start=True).trajectory
    noise = initial_noise(SEEDS, SHAPE)
    for index, label in enumerate([1, 0]):
        expected = gaussian.coloured_noise(bases[label], noise[index : index + 1], found.grid[0])
        torch.testing.assert_close(found.states[index : index + 1, 0], expected)
