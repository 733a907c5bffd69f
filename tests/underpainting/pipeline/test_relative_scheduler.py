"""The relative sampler as a scheduler of diffusers: its images are the library's, it travels, it refuses what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from tests.helpers.pipelines import basis, images_of, schedule, stored, unet
from underpainting import denoisers
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import BasisFileError, save_basis
from underpainting.denoisers import make_denoiser
from underpainting.denoisers.networks import PredictionType
from underpainting.noise.covariance_grid import covariance_grid
from underpainting.noise.schedules import schedule_of
from underpainting.pipeline.relative_scheduler import RelativeScheduler
from underpainting.samplers.relative import variances_of
from underpainting.samplers.walk import Sampler, sample

PREDICTIONS: tuple[PredictionType, ...] = ("epsilon", "v_prediction", "sample")
DOUBLE = torch.float64
"""Type where two loops are compared: a network's rounding depends on the size of the batch."""


def scheduler_for(prediction: str = "epsilon", basis: Any = None, **options: Any) -> RelativeScheduler:
    given = stored() if basis is None else basis
    return RelativeScheduler.from_config(schedule(prediction).config, basis=given, **options)


def noise(count: int = 3, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=dtype)


def loop(scheduler: RelativeScheduler, network: Any, state: Tensor, steps: int, scales: bool = True) -> Tensor:
    """As in diffusers' pipelines, with guidance's doubled batch for the network."""
    scheduler.set_timesteps(steps)
    state = state * scheduler.init_noise_sigma
    with torch.no_grad():
        for time in scheduler.timesteps:
            doubled = torch.cat([state, state])
            given = scheduler.scale_model_input(doubled, time) if scales else doubled
            state = scheduler.step(network(given, time).sample[: len(state)], time, state).prev_sample
    return state


def library(network: Any, prediction: str, state: Tensor, sampler: Sampler) -> Tensor:
    with torch.no_grad():
        return sample(sampler, make_denoiser(network, schedule(prediction)), sampler.start(state))


def largest(images: Tensor) -> float:
    return float(images.abs().max())


# --- the library's images --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 6])
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_images_are_the_library_s(prediction: str, steps: int) -> None:
    network, state = unet().double(), noise(dtype=DOUBLE)
    expected = library(network, prediction, state, Sampler("relative", steps, schedule(), stored().all_images))
    found = loop(scheduler_for(prediction), network, state, steps)
    assert largest(expected) > 0.1
    assert largest(found - expected) < 1e-6 * max(1.0, largest(expected))


@pytest.mark.parametrize("pipeline", [DDIMPipeline, DDPMPipeline])
def test_a_pipeline_of_diffusers_makes_the_library_s_images(pipeline: Any) -> None:
    """Both call the network with the state itself, so that the first call is at the noisiest level."""
    data, network = stored().all_images, unet().double()
    own = pipeline(network, schedule())
    own.scheduler = scheduler_for(
        "v_prediction", jump_first=False
    )  # DDIMPipeline puts DDIM in the place of what it is made with
    own.set_progress_bar_config(disable=True)
    images = own(
        batch_size=3, generator=torch.Generator().manual_seed(1), num_inference_steps=5, output_type="np"
    ).images
    grid = covariance_grid(schedule_of(schedule()), 5, variances_of(data))
    expected = library(network, "v_prediction", noise(dtype=DOUBLE), Sampler.on("relative", grid, data))
    shown = (expected / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    assert float(((shown > 0) & (shown < 1)).float().mean()) > 0.05
    assert largest(torch.from_numpy(images) - shown) < 1e-6


def test_the_network_is_called_at_the_library_s_times() -> None:
    scheduler, times = scheduler_for(), []
    denoiser = make_denoiser(unet(), schedule())
    scheduler.set_timesteps(7)
    sampler = Sampler("relative", 7, schedule(), stored().all_images)
    times = [denoiser.time(level.ratio) for level in sampler.grid][:-1]
    assert scheduler.timesteps.tolist() == torch.tensor(times).tolist()
    assert len(scheduler.sigmas) == 8
    assert scheduler.sigmas[-1] == 0
    assert len(scheduler) == 1000


def test_half_precision_rounds_states_on_their_way_only() -> None:
    scheduler, state = scheduler_for(), noise(2).half()
    network = unet()

    def halved(images: Tensor, time: Tensor) -> Any:
        assert images.dtype == torch.float16
        return network(images.float(), time)

    found = loop(scheduler, halved, state, 6)
    expected = loop(scheduler_for(), network, state.float(), 6)
    assert found.dtype == torch.float16
    assert largest(found - expected) < 0.01 * largest(expected)


def test_a_second_run_is_the_first() -> None:
    scheduler, network = scheduler_for(), unet()
    first, again = (loop(scheduler, network, noise(), 4) for _ in range(2))
    assert torch.equal(first, again)


# --- states that come from elsewhere ---------------------------------------------------------------------------------


def test_from_a_middle_level_it_is_the_library_s_walk_from_there() -> None:
    network, scheduler, sampler = (
        unet().double(),
        scheduler_for(),
        Sampler("relative", 6, schedule(), stored().all_images),
    )
    scheduler.set_timesteps(6)
    added = noise(dtype=DOUBLE)
    images = torch.tanh(added)
    times = scheduler.timesteps[2:]
    begin = state = scheduler.add_noise(images, added, times[:1].repeat(3))
    with torch.no_grad():
        for time in times:
            given = scheduler.scale_model_input(state, time)
            assert given is state
            state = scheduler.step(network(given, time).sample, time, state).prev_sample
        expected = sample(sampler, make_denoiser(network, schedule()), begin, 2)
    alpha, sigma = sampler.grid[2]
    torch.testing.assert_close(begin, alpha * images + sigma * added, rtol=1e-5, atol=1e-5)
    assert largest(state - expected) < 1e-6 * max(1.0, largest(expected))


def test_noise_is_added_as_ddim_does() -> None:
    times = torch.tensor([0, 400, 999])
    found, expected = (one.add_noise(noise(), 2 * noise(), times) for one in (scheduler_for(), schedule()))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_noise_added_at_the_first_timestep_is_carried_to_its_level() -> None:
    """Img2img at full strength: the images at the noisiest level, then the jump."""
    scheduler, data = scheduler_for(), stored().all_images
    scheduler.set_timesteps(4)
    first = scheduler.timesteps[:1].repeat(3)
    begin = scheduler.add_noise(noise(), noise(), first)
    torch.testing.assert_close(begin, schedule().add_noise(noise(), noise(), torch.tensor([999] * 3)))
    expected = Sampler("relative", 4, schedule(), data).start(begin)
    torch.testing.assert_close(scheduler.scale_model_input(begin, first[0]), expected)
    plain = scheduler_for(jump_first=False)
    plain.set_timesteps(4)
    assert plain.scale_model_input(begin, plain.timesteps[0]) is begin


def test_a_state_that_the_pipeline_changes_begins_a_new_history() -> None:
    """As inpainting does, in place or not."""
    network = unet()

    def finish(scheduler: RelativeScheduler, state: Tensor, first: int) -> Tensor:
        for time in scheduler.timesteps[first:]:
            given = scheduler.scale_model_input(state, time)
            state = scheduler.step(network(given, time).sample, time, state).prev_sample
        return state

    with torch.no_grad():
        scheduler = scheduler_for()
        scheduler.set_timesteps(5)
        time, state = scheduler.timesteps[0], noise()
        state = scheduler.step(network(scheduler.scale_model_input(state, time), time).sample, time, state).prev_sample
        state[:, :, 2:5] = 0.3
        other = scheduler_for()
        other.set_timesteps(5)
        assert torch.equal(finish(scheduler, state, 1), finish(other, state, 1))


# --- saving and loading ----------------------------------------------------------------------------------------------


def test_saved_and_loaded_from_a_folder_it_is_the_same(tmp_path: Path) -> None:
    scheduler, network = scheduler_for("v_prediction"), unet()
    scheduler.save_pretrained(tmp_path / "scheduler")
    assert sorted(file.name for file in (tmp_path / "scheduler").iterdir()) == [
        "basis.safetensors",
        "scheduler_config.json",
    ]
    for loaded in (
        RelativeScheduler.from_pretrained(tmp_path / "scheduler"),
        RelativeScheduler.from_pretrained(tmp_path, subfolder="scheduler"),
    ):
        assert {**loaded.config, "_use_default_values": []} == {**scheduler.config, "_use_default_values": []}
        assert loaded.stored_basis.card == scheduler.stored_basis.card
        assert torch.equal(loop(loaded, network, noise(), 4), loop(scheduler, network, noise(), 4))


def test_a_pipeline_travels_with_it(tmp_path: Path) -> None:
    own = DDPMPipeline(unet(), scheduler_for("v_prediction", jump_first=False))
    own.set_progress_bar_config(disable=True)
    own.save_pretrained(tmp_path)
    loaded = DDPMPipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    options: dict[str, Any] = {"num_inference_steps": 3, "output_type": "np"}
    images = [pipe(generator=torch.Generator().manual_seed(0), **options).images for pipe in (own, loaded)]
    assert isinstance(loaded.scheduler, RelativeScheduler)
    assert abs(images[0] - images[1]).max() < 1e-6


def test_other_schedulers_come_from_it_and_it_from_others(tmp_path: Path) -> None:
    solver = DPMSolverMultistepScheduler(beta_end=0.03, algorithm_type="dpmsolver++", prediction_type="sample")
    scheduler = RelativeScheduler.from_config(solver.config, basis=stored())
    assert torch.equal(scheduler.alphas_cumprod, solver.alphas_cumprod)
    assert scheduler.config.prediction_type == "sample"
    back = DDIMScheduler.from_config(scheduler.config)
    assert torch.equal(back.alphas_cumprod, solver.alphas_cumprod)
    scheduler.save_pretrained(tmp_path)
    read = denoisers.load_schedule(tmp_path)
    assert torch.equal(read.alphas_cumprod, solver.alphas_cumprod)


@pytest.mark.parametrize("kind", ["eigenbasis", "stored", "component", "file"])
def test_every_form_of_a_basis_will_do(kind: str, tmp_path: Path) -> None:
    save_basis(stored(), tmp_path / "basis.safetensors")
    forms = {
        "eigenbasis": stored().all_images,
        "stored": stored(classes=2),
        "component": basis(),
        "file": tmp_path / "basis.safetensors",
    }
    assert torch.equal(scheduler_for(basis=forms[kind]).basis.vectors, stored().all_images.vectors)


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_network_that_was_called_with_the_noise_itself_is_noticed() -> None:
    with pytest.raises(
        ValueError, match=r"not with what the scheduler carries to the first level; .* jump_first=False"
    ):
        loop(scheduler_for(), unet(), noise(), 4, scales=False)
    scheduler = scheduler_for()
    loop(scheduler, unet(), noise(), 2)
    with pytest.raises(ValueError, match="jump_first=False"):  # in a second run, too
        scheduler.step(noise(), scheduler.timesteps[0], noise())
    assert torch.isfinite(loop(scheduler_for(jump_first=False), unet(), noise(), 4, scales=False)).all()


@pytest.mark.parametrize("scheduler", [EDMEulerScheduler(), FlowMatchEulerDiscreteScheduler()], ids=["EDM", "flow"])
def test_networks_on_other_paths_are_refused(scheduler: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"TeleportPipeline, as in pipe\(sampler='relative'\)"):
        RelativeScheduler.from_config(scheduler.config, basis=stored())
    scheduler.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="TeleportPipeline"):
        RelativeScheduler.from_pretrained(tmp_path, basis=stored())


def test_a_path_without_signal_is_refused() -> None:
    with pytest.raises(ValueError, match="end at alpha = 0"):
        RelativeScheduler.from_config(DDIMScheduler(rescale_betas_zero_snr=True).config, basis=stored())


def test_a_basis_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"give basis='basis\.safetensors'"):
        RelativeScheduler.from_config(schedule().config)
    schedule().save_pretrained(tmp_path)
    with pytest.raises(BasisFileError, match=r"basis\.safetensors: there is no such file"):
        RelativeScheduler.from_pretrained(tmp_path)


def test_images_of_another_shape_are_refused() -> None:
    scheduler = scheduler_for(basis=images_of((1, 4, 4)))
    scheduler.set_timesteps(3)
    for call in (
        lambda: scheduler.scale_model_input(noise(), scheduler.timesteps[0]),
        lambda: scheduler.step(noise(), scheduler.timesteps[1], noise()),
    ):
        with pytest.raises(
            ValueError, match=r"one of images of shape \(1, 4, 4\), the network's are of shape \(1, 8, 8\)"
        ):
            call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta": 0.5}, "neither adds noise nor clips"),
        ({"use_clipped_model_output": True}, "neither adds noise nor clips"),
        ({"timestep": 1000.0}, "the time 1000 is none of the scheduler's timesteps"),
        ({"model_output": torch.zeros(3, 2, 8, 8)}, "networks that also predict a variance are not supported"),
    ],
    ids=str,
)
def test_what_it_cannot_do_is_refused(change: dict[str, Any], message: str) -> None:
    scheduler = scheduler_for()
    scheduler.set_timesteps(3)
    with pytest.raises(ValueError, match=message):
        scheduler.step(**{"model_output": noise(), "timestep": scheduler.timesteps[1], "sample": noise(), **change})


def test_levels_are_needed_first() -> None:
    with pytest.raises(ValueError, match="call set_timesteps first"):
        scheduler_for().scale_model_input(noise(), 0.0)


def test_the_gaussian_s_images_are_exact_in_one_step() -> None:
    """With the exact denoiser of Gaussian data as the network."""
    from underpainting.noise.levels import DATA
    from underpainting.theory import gaussian

    data: Eigenbasis = stored().all_images
    scheduler, state = scheduler_for("sample"), noise(dtype=DOUBLE)
    scheduler.set_timesteps(1)
    (time,), level = scheduler.timesteps, scheduler.sampler(1).grid[0]
    given = scheduler.scale_model_input(state, time)
    found = scheduler.step(gaussian.endpoint(data, given, level), time, state).prev_sample
    expected = gaussian.state(data, state, schedule_of(schedule()).level(1.0), DATA)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
