"""Samplers against diffusers' own loops and pipelines, against the closed form, and against themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.pipelines.ddim.pipeline_ddim import DDIMPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_deis_multistep import DEISMultistepScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_ipndm import IPNDMScheduler
from diffusers.schedulers.scheduling_lms_discrete import LMSDiscreteScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser, DiffusersDenoiser, PredictionType, TimeTable, noise_prediction
from underpainting.noise.levels import DATA, NoiseGrid, NoiseLevel, edm_grid, training_grid
from underpainting.noise.schedules import schedule_of
from underpainting.samplers import registry
from underpainting.samplers.randomness import added_noise, initial_noise
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.schedulers import make_scheduler
from underpainting.samplers.walk import Sampler, Step, sample
from underpainting.theory import gaussian
from underpainting.theory.gaussian import GaussianDenoiser

SCHEDULE = DDIMScheduler(clip_sample=False)
SHAPE = (1, 8, 8)
NAMES = [name for name, kind in SAMPLERS.items() if not kind.relative]
PREDICTIONS: list[PredictionType] = ["epsilon", "v_prediction", "sample"]
SPACINGS = ["linspace", "leading", "trailing"]
OURS = ["edmheun", "edmchurn"]  # the levels of these are not diffusers' own
IPNDM = {"ipndm": 4, "ipndm2": 2, "ipndm3": 3}  # nor of these
DETERMINISTIC = [name for name in NAMES if not SAMPLERS[name].stochastic]
LEADING = ["ddim", "pndm", "ddpm"]
TAKES_TWO = ["heun", "edmheun", "edmchurn"]
CLASSES: dict[str, Any] = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "heun": HeunDiscreteScheduler,
    "dpmsolverpp": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
    "pndm": PNDMScheduler,
    "lms": LMSDiscreteScheduler,
    "ddpm": DDPMScheduler,
    "dpmsolverpp3": partial(DPMSolverMultistepScheduler, solver_order=3),
    "unipc3": partial(UniPCMultistepScheduler, solver_order=3),
    "deis": DEISMultistepScheduler,
    "deis3": partial(DEISMultistepScheduler, solver_order=3),
}
# DDIM and PNDM follow their own grid only so; elsewhere diffusers' states are not at the levels that it tells the network
GRIDS = [
    (name, spacing)
    for name in NAMES
    for spacing in SPACINGS
    if name in CLASSES and (name, spacing) not in (("ddim", "linspace"), ("pndm", "linspace"))
]


def denoiser_of(
    network: UNet2DModel, prediction: PredictionType = "v_prediction", schedule: Any = SCHEDULE
) -> DiffusersDenoiser:
    return DiffusersDenoiser(network, training_grid(schedule), prediction)


def diffusers_scheduler(name: str, prediction: PredictionType, spacing: str) -> Any:
    """As a user of diffusers makes it, without this library."""
    schedule = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear", "num_train_timesteps": 1000}
    options: dict[str, Any] = {**schedule, "prediction_type": prediction, "timestep_spacing": spacing}
    if name in ("ddim", "ddpm"):
        options["clip_sample"] = False
    if name == "pndm":
        options |= {"skip_prk_steps": True, "set_alpha_to_one": True}
    return CLASSES[name](**options)


@torch.inference_mode()
def diffusers_loop(network: UNet2DModel, scheduler: Any, noise: Tensor, steps: int, seeds: Sequence[int]) -> Tensor:
    scheduler.set_timesteps(steps)
    if isinstance(scheduler, DEISMultistepScheduler):
        scheduler.sigmas = scheduler.sigmas.double()  # in float32 its differences of logarithms are good to 1e-4 only
        scheduler.sigmas[-1] = 1e-10  # the image; it has no final_sigmas_type, and takes the logarithm
    images = noise * scheduler.init_noise_sigma
    adding = {"generator": added_noise(seeds)} if isinstance(scheduler, DDPMScheduler) else {}
    for time in scheduler.timesteps:
        output = network(scheduler.scale_model_input(images, time), time).sample
        images = scheduler.step(output, time, images, **adding).prev_sample
    return images


def distance(found: Tensor, expected: Tensor) -> float:
    """Largest difference, of the scale of the images."""
    return float((found - expected).abs().max()) / max(1.0, float(expected.abs().max()))


def walk(sampler: Sampler, denoiser: Any, noise: Tensor) -> list[Step]:
    return list(sampler.walk(denoiser, sampler.start(noise), seeds=range(len(noise))))


# --- against diffusers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [5, 10])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(("name", "spacing"), GRIDS)
def test_samplers_equal_the_plain_loop_of_diffusers(
    network: UNet2DModel, name: str, spacing: str, prediction: PredictionType, steps: int
) -> None:
    """To 1e-5 of the image scale; the images of an untrained epsilon network reach several hundred."""
    noise = initial_noise(range(3), SHAPE)
    if name == "pndm" and prediction != "epsilon":
        pytest.skip("diffusers' PNDM takes means of what the network says, ours of noise predictions")
    expected = diffusers_loop(network, diffusers_scheduler(name, prediction, spacing), noise, steps, range(3))
    sampler = Sampler(name, steps, SCHEDULE, timestep_spacing=spacing)
    found = sample(sampler, denoiser_of(network, prediction), sampler.start(noise), seeds=range(3))
    # LMS finds its coefficients by a quadrature to 1e-4, of levels in float32 or float64
    tolerance = 1e-4 if name == "lms" else 1e-5
    assert distance(found, expected) <= tolerance


def velocity_of(denoiser: Any, state: Tensor, alpha: float, sigma: float) -> Tensor:
    endpoint = denoiser(state, alpha, sigma)
    return alpha * noise_prediction(state, endpoint, NoiseLevel(alpha, sigma)) - sigma * endpoint


@pytest.mark.parametrize("steps", [2, 5, 20])
def test_ipndm_equals_the_loop_of_diffusers_on_its_own_levels(network: UNet2DModel, steps: int) -> None:
    """From the second one; the first has no signal. Its network predicts velocities, as ours are made to."""
    denoiser, scheduler = denoiser_of(network), IPNDMScheduler()
    scheduler.set_timesteps(steps + 1)
    scheduler.set_begin_index(1)
    state = initial_noise(range(2), SHAPE)
    alphas, sigmas = scheduler.alphas[1:].double().numpy(), scheduler.betas[1:].double().numpy()
    found = sample(Sampler.on("ipndm", NoiseGrid(alphas, sigmas)), denoiser, state)
    for index, time in enumerate(scheduler.timesteps[1:]):
        state = scheduler.step(velocity_of(denoiser, state, alphas[index], sigmas[index]), time, state).prev_sample
    assert distance(found, state) <= 1e-5


ADAMS_BASHFORTH = {
    1: [1.0],
    2: [3 / 2, -1 / 2],
    3: [23 / 12, -16 / 12, 5 / 12],
    4: [55 / 24, -59 / 24, 37 / 24, -9 / 24],
}


@pytest.mark.parametrize("begin", [0, 3])
@pytest.mark.parametrize(("name", "order"), IPNDM.items())
def test_ipndm_is_a_multistep_method_of_its_order(basis: Eigenbasis, name: str, order: int, begin: int) -> None:
    """In x / alpha and sigma / alpha, with the coefficients of even steps; the order grows from 1 at the start."""
    sampler, denoiser = Sampler.on(name, edm_grid(8)), GaussianDenoiser(basis)
    state = sampler.grid[begin].sigma * initial_noise(range(2), basis.image_shape).double()
    found = sample(sampler, denoiser, state, begin)
    slopes: list[Tensor] = []
    for here, there in pairwise(sampler.grid.sigma[begin:]):
        slopes.insert(0, (state - denoiser(state, 1.0, here)) / here)
        weights = ADAMS_BASHFORTH[min(order, len(slopes))]
        state = state + (there - here) * sum(w * slope for w, slope in zip(weights, slopes, strict=False))
    assert distance(found, state) <= 1e-10


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(("name", "order"), [("deis", 2), ("deis3", 3)])
def test_deis_is_that_of_diffusers_until_the_last_step(
    network: UNet2DModel, name: str, order: int, spacing: str
) -> None:
    """Which in diffusers ends at the first level of training, here at the image."""
    scheduler = DEISMultistepScheduler(prediction_type="v_prediction", solver_order=order, timestep_spacing=spacing)
    scheduler.set_timesteps(6)
    noise = initial_noise(range(2), SHAPE)
    states = walk(Sampler(name, 6, SCHEDULE, timestep_spacing=spacing), denoiser_of(network), noise)
    with torch.inference_mode():
        for step, time in zip(states[1:-1], scheduler.timesteps, strict=False):
            noise = scheduler.step(network(noise, time).sample, time, noise).prev_sample
            assert distance(step.state, noise) <= 1e-5


@pytest.mark.parametrize("name", ["deis", "deis3"])
@pytest.mark.parametrize("steps", [1, 2, 14])
def test_the_last_of_few_steps_of_deis_is_the_endpoint_estimate(basis: Eigenbasis, name: str, steps: int) -> None:
    states = walk(
        Sampler(name, steps, SCHEDULE), GaussianDenoiser(basis), initial_noise([0], basis.image_shape).double()
    )
    assert distance(states[-1].state, states[-2].endpoint) <= 1e-9


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")  # LMS on levels far apart
@given(
    name=st.sampled_from(NAMES),
    logarithms=st.lists(st.integers(-60, 60), min_size=1, max_size=12, unique=True),
    family=st.sampled_from(["variance preserving", "EDM", "flow matching"]),
    data=st.data(),
)
def test_images_are_finite_on_any_grid_from_any_step(
    basis: Eigenbasis, name: str, logarithms: list[int], family: str, data: st.DataObject
) -> None:
    ratios = np.exp(0.1 * np.sort(logarithms)[::-1])
    scale = {"variance preserving": np.hypot(1, ratios), "EDM": np.ones(len(ratios)), "flow matching": 1 + ratios}
    alpha = 1 / scale[family]
    sampler = Sampler.on(name, NoiseGrid(np.append(alpha, 1.0), np.append(ratios * alpha, 0.0)))
    begin = data.draw(st.integers(0, len(ratios) - 1))
    state = sampler.grid[begin].sigma * initial_noise([0], basis.image_shape)
    image = sample(sampler, GaussianDenoiser(basis), state, begin, seeds=[0])
    assert image.dtype == torch.float32 and image.isfinite().all()


@pytest.mark.parametrize("name", CLASSES)
def test_samplers_keep_the_noise_schedule_of_the_network_and_nothing_else(name: str) -> None:
    schedule = DDIMScheduler(beta_schedule="squaredcos_cap_v2", num_train_timesteps=200, timestep_spacing="trailing")
    scheduler = make_scheduler(name, schedule)
    assert torch.equal(scheduler.alphas_cumprod, schedule.alphas_cumprod)
    assert scheduler.config.timestep_spacing == ("leading" if name in LEADING else "linspace")
    assert scheduler.config.prediction_type == ("epsilon" if name == "pndm" else "sample")


@pytest.mark.parametrize("steps", [4, 10, 50])
@pytest.mark.parametrize(
    ("prediction", "clip", "beta_end"),
    [("v_prediction", False, 0.02), ("v_prediction", True, 0.02), ("sample", False, 0.02), ("epsilon", False, 0.002)],
    ids=str,
)
def test_ddim_equals_the_pipeline_of_diffusers(
    network: UNet2DModel, prediction: PredictionType, clip: bool, beta_end: float, steps: int
) -> None:
    """With less noise for epsilon, whose untrained images would else be all black or white."""
    schedule = DDIMScheduler(prediction_type=prediction, clip_sample=clip, beta_end=beta_end)
    pipeline = DDIMPipeline(network, schedule)
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in range(3)]
    expected = pipeline(batch_size=3, generator=generators, num_inference_steps=steps, output_type="np").images
    sampler = Sampler("ddim", steps, schedule, clip_sample=clip)
    images = sample(sampler, denoiser_of(network, prediction, schedule), sampler.start(initial_noise(range(3), SHAPE)))
    found = (images / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    assert ((expected > 0) & (expected < 1)).mean() > 0.3, "images that are all black or white show nothing"
    assert np.abs(found - expected).max() <= 1e-5


def karras(denoiser: Any, state: Tensor, sigmas: Sequence[float], noise: Any = None) -> Tensor:
    """Algorithms 1 and 2 of Karras et al. (2022), as printed; `noise` gives the fresh noise of a step."""
    steps = len(sigmas) - 1
    for here, there in pairwise(sigmas):
        gamma = min(30 / steps, 2**0.5 - 1) if noise and 0.01 <= here <= 1 else 0.0
        higher = here * (1 + gamma)
        if gamma:
            state = state + (higher**2 - here**2) ** 0.5 * 1.007 * noise()
        slope = (state - denoiser(state, 1.0, higher)) / higher
        moved = state + (there - higher) * slope
        if there:
            moved = state + (there - higher) * (slope + (moved - denoiser(moved, 1.0, there)) / there) / 2
        state = moved
    return state


@pytest.mark.parametrize("name", OURS)
def test_edm_samplers_are_the_algorithms_as_printed(network: UNet2DModel, name: str) -> None:
    denoiser, grid, noise = denoiser_of(network), edm_grid(12), initial_noise(range(2), SHAPE)
    streams = added_noise(range(2))
    fresh = lambda: torch.stack([torch.randn(SHAPE, generator=stream) for stream in streams])  # noqa: E731
    sampler = Sampler.on(name, grid)
    expected = karras(denoiser, 80.0 * noise, grid.sigma.tolist(), fresh if name == "edmchurn" else None)
    found = sample(sampler, denoiser, sampler.start(noise), seeds=range(2))
    assert (found - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("schedule", [EDMEulerScheduler(), FlowMatchEulerDiscreteScheduler(), SCHEDULE], ids=str)
def test_edm_samplers_take_the_spacing_of_karras_over_what_the_network_knows(name: str, schedule: Any) -> None:
    grid, network = Sampler(name, 10, schedule).grid, schedule_of(schedule)
    roots = np.array([level.ratio for level in grid][:-1]) ** (1 / 7)
    assert np.diff(roots) == pytest.approx(np.full(9, roots[1] - roots[0]))
    assert grid[0].ratio == pytest.approx(network.level(1.0).ratio)
    assert grid[0] == pytest.approx(network.at(grid[0].ratio))


@pytest.mark.parametrize("steps", [5, 20, 1000])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_the_grid_of_ddim_is_the_table_at_its_times(spacing: str, steps: int) -> None:
    sampler = Sampler("ddim", steps, SCHEDULE, timestep_spacing=spacing)
    scheduler = DDIMScheduler(timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    expected = scheduler.alphas_cumprod[scheduler.timesteps].double().sqrt().numpy()
    np.testing.assert_allclose(sampler.grid.alpha, [*expected, 1.0], rtol=1e-12)


@pytest.mark.parametrize("name", ["euler", "heun"])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [5, 20])
def test_the_time_table_inverts_the_interpolation_of_diffusers(name: str, spacing: str, steps: int) -> None:
    """Whole times come back exactly, fractional ones to a thousandth."""
    table, scheduler = TimeTable(training_grid(SCHEDULE)), diffusers_scheduler(name, "epsilon", spacing)
    scheduler.set_timesteps(steps)
    times = scheduler.timesteps[[0, *range(1, 2 * steps - 1, 2)]] if name == "heun" else scheduler.timesteps
    ratios = Sampler(name, steps, SCHEDULE, timestep_spacing=spacing).grid
    for time, level in zip(times.tolist(), ratios, strict=False):
        found = table.time(level.ratio)
        assert found == time if float(time).is_integer() else abs(found - time) < 1e-3


@given(time=st.integers(0, 999))
def test_the_time_table_is_exact_at_the_times_of_training(time: int) -> None:
    grid = training_grid(SCHEDULE)
    assert TimeTable(grid).time(grid[999 - time].ratio) == float(time)


@pytest.mark.parametrize(("ratio", "time"), [(0.0, 0.0), (1e-3, 0.0), (1e4, 999.0)])
def test_ratios_outside_the_schedule_take_its_ends(ratio: float, time: float) -> None:
    assert TimeTable(training_grid(SCHEDULE)).time(ratio) == time


# --- the grid --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "spacing"), GRIDS)
@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_the_grid_runs_strictly_from_noise_to_data(name: str, spacing: str, steps: int) -> None:
    grid = Sampler(name, steps, SCHEDULE, timestep_spacing=spacing).grid
    assert len(grid) == steps + 1
    assert grid[steps] == pytest.approx(DATA)
    assert all(before.ratio > after.ratio for before, after in pairwise(grid))


@pytest.mark.parametrize("name", NAMES)
def test_the_start_has_the_spread_of_its_level(name: str) -> None:
    """Noise of unit variance, or, as Euler and Heun do it, sigma alone."""
    sampler = Sampler(name, 10, SCHEDULE, timestep_spacing="trailing")
    scale = float(sampler.start(torch.ones(1, *SHAPE)).mean())
    assert scale == pytest.approx(1.0, abs=1e-4)
    assert scale == pytest.approx(sampler.grid[0].sigma, abs=1e-4)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_an_unknown_sampler_is_refused_and_the_known_are_named() -> None:
    with pytest.raises(
        ValueError, match="unknown sampler 'plms'; known are ddim, euler, heun, dpmsolverpp, unipc, pndm"
    ):
        Sampler("plms", 10, SCHEDULE)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_a_number_of_steps_that_the_schedule_cannot_give_is_refused(name: str, steps: int) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot take {steps} steps: the network knows 1000 times"):
        Sampler(name, steps, SCHEDULE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("begin", [-1, 5, 6])
def test_a_step_that_leaves_nothing_to_do_is_refused(name: str, begin: int) -> None:
    sampler = Sampler(name, 5, SCHEDULE)
    with pytest.raises(ValueError, match=f"{name} with 5 steps cannot begin at step {begin}"):
        next(sampler.walk(lambda images, *_: images, torch.zeros(1, *SHAPE), begin, seeds=[0]))


@pytest.mark.parametrize("name", ["ddpm", "edmchurn"])
def test_a_stochastic_sampler_needs_the_seed_of_every_image(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} adds noise on its way: give it the seed of every image"):
        Sampler(name, 5, SCHEDULE).walk(lambda images, *_: images, torch.zeros(2, *SHAPE), seeds=[0])


@pytest.mark.parametrize("name", OURS)
def test_a_grid_without_steps_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a grid needs a step or more"):
        Sampler(name, 0, SCHEDULE)


def test_a_grid_that_ends_with_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="a sampler's grid ends at sigma = 0, not at"):
        Sampler.on("ddim", NoiseGrid(np.array([0.5, 0.9]), np.array([0.8, 0.1])))


@pytest.mark.parametrize(("spacing", "steps"), [("linspace", 20), ("linspace", 7), ("trailing", 7)])
def test_ddim_refuses_a_spacing_whose_grid_it_does_not_follow(spacing: str, steps: int) -> None:
    with pytest.raises(ValueError, match=f"moves by {1000 // steps} times at each step, its grid does not"):
        Sampler("ddim", steps, SCHEDULE, timestep_spacing=spacing)


def test_a_grid_that_visits_a_time_twice_is_refused() -> None:
    """DPM-Solver++ as fine as the schedule would divide by zero."""
    with pytest.raises(ValueError, match="visit a time twice; take fewer steps"):
        Sampler("dpmsolverpp", 1000, SCHEDULE)


# --- the walk --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 6])
def test_a_walk_yields_every_step_with_its_level_and_endpoint(basis: Eigenbasis, name: str, steps: int) -> None:
    sampler, denoiser = Sampler(name, steps, SCHEDULE), GaussianDenoiser(basis)
    states = walk(sampler, denoiser, initial_noise(range(2), basis.image_shape))
    assert [step.index for step in states] == list(range(steps + 1))
    assert [step.level for step in states] == list(sampler.grid)
    for step in states[:-1]:
        if name != "edmchurn":  # which makes the state noisier before it asks
            assert torch.equal(step.endpoint, denoiser(step.state, *step.level))


@pytest.mark.parametrize("name", [name for name in NAMES if SAMPLERS[name].clips])
def test_a_sampler_that_clips_yields_the_estimates_that_it_uses(basis: Eigenbasis, name: str) -> None:
    """DDIM: x' = alpha' clip(x0_hat) + sigma' eps_hat, the noise of the estimate as it was."""
    denoiser, sampler = GaussianDenoiser(basis), Sampler(name, 6, SCHEDULE, clip_sample=True, clip_sample_range=0.3)
    states = walk(sampler, denoiser, initial_noise(range(2), basis.image_shape).double())
    estimates = [denoiser(step.state, *step.level) for step in states[:-1]]
    assert max(float(estimate.abs().max()) for estimate in estimates) > 0.3
    assert max(float(step.endpoint.abs().max()) for step in states[:-1]) == 0.3
    if name != "edmchurn":  # which makes the state noisier before it asks
        for step, estimate in zip(states, estimates, strict=False):
            assert torch.equal(step.endpoint, estimate.clamp(-0.3, 0.3))
    if name == "ddim":
        (here, then), estimate = states[:2], estimates[0]
        noise = (here.state - here.level.alpha * estimate) / here.level.sigma
        assert torch.allclose(then.state, then.level.alpha * here.endpoint + then.level.sigma * noise)


@pytest.mark.parametrize("name", [name for name in NAMES if SAMPLERS[name].clips])
def test_an_unclipped_sampler_is_the_one_without_clipping(network: UNet2DModel, name: str) -> None:
    noise, denoiser = initial_noise(range(2), SHAPE), denoiser_of(network)
    free, clipping = Sampler(name, 5, SCHEDULE), Sampler(name, 5, SCHEDULE, clip_sample=True)
    images = [sample(one, denoiser, one.start(noise), seeds=range(2)) for one in (free, clipping.unclipped(), clipping)]
    assert torch.equal(images[0], images[1])
    assert (images[0] - images[2]).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_the_endpoint_at_the_last_step_is_the_image(network: UNet2DModel, name: str) -> None:
    sampler, noise = Sampler(name, 4, SCHEDULE), initial_noise([3], SHAPE)
    last = walk(sampler, denoiser_of(network), noise)[-1]
    assert torch.equal(last.endpoint, last.state)
    assert torch.equal(last.state, sample(sampler, denoiser_of(network), sampler.start(noise), seeds=[0]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 9])
@pytest.mark.parametrize("begin", [0, 1, 8])
def test_function_evaluations_are_counted_as_the_sampler_makes_them(
    basis: Eigenbasis, name: str, steps: int, begin: int
) -> None:
    """N for one stage, 2 N - 1 for two: the last step of Heun takes one; PNDM corrects its first step."""
    begin = min(begin, steps - 1)
    counter, sampler = CountingDenoiser(GaussianDenoiser(basis)), Sampler(name, steps, SCHEDULE)
    sample(sampler, counter, sampler.start(initial_noise([0], basis.image_shape)), begin, seeds=[0])
    left = steps - begin
    expected = 2 * left - 1 if name in TAKES_TWO else left + (name == "pndm" and left > 1)
    assert counter.calls == expected == sampler.calls(begin)


@given(name=st.sampled_from(NAMES), nfe=st.integers(1, 100))
def test_network_calls_buy_the_most_steps_that_they_can_pay(name: str, nfe: int) -> None:
    steps = registry.steps_within(name, nfe)
    assert registry.calls(name, steps) <= nfe < registry.calls(name, steps + 1)


def test_no_network_call_is_too_few() -> None:
    with pytest.raises(ValueError, match="calls its denoiser at least once, so 0 calls are not enough"):
        registry.steps_within("ddim", 0)


@pytest.mark.parametrize("name", ["ddim", "euler", "heun"])
@pytest.mark.parametrize("begin", [1, 3, 5])
def test_a_walk_begun_at_a_recorded_state_gives_the_same_images(network: UNet2DModel, name: str, begin: int) -> None:
    sampler, denoiser = Sampler(name, 6, SCHEDULE), denoiser_of(network)
    states = walk(sampler, denoiser, initial_noise(range(2), SHAPE))
    again = list(sampler.walk(denoiser, states[begin].state, begin))
    assert [step.index for step in again] == list(range(begin, 7))
    assert all(torch.equal(one.state, other.state) for one, other in zip(again, states[begin:], strict=True))


@pytest.mark.parametrize("begin", [0, 1, 5])
def test_dpmsolverpp_begins_with_its_first_order_step_anywhere(network: UNet2DModel, begin: int) -> None:
    """The first-order step of DPM-Solver++ is DDIM's."""
    sampler, denoiser = Sampler("dpmsolverpp", 8, SCHEDULE), denoiser_of(network)
    here, after = sampler.grid[begin], sampler.grid[begin + 1]
    first, second, *_ = sampler.walk(denoiser, here.sigma * initial_noise(range(2), SHAPE), begin)
    ratio = after.sigma / here.sigma
    expected = ratio * first.state + (after.alpha - here.alpha * ratio) * first.endpoint
    assert torch.allclose(second.state, expected, rtol=1e-5, atol=1e-5)


def test_dpmsolverpp_is_of_second_order_where_it_does_not_begin(network: UNet2DModel) -> None:
    """So that the test above can fail."""
    sampler, denoiser = Sampler("dpmsolverpp", 8, SCHEDULE), denoiser_of(network)
    states = walk(sampler, denoiser, initial_noise(range(2), SHAPE))
    again = list(sampler.walk(denoiser, states[3].state, 3))
    assert torch.equal(again[0].endpoint, states[3].endpoint)
    assert (again[1].state - states[4].state).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_sampler_can_walk_twice(network: UNet2DModel, name: str) -> None:
    """Schedulers of diffusers carry state; none may pass from one walk to the next, even from one broken off."""
    sampler, denoiser, noise = Sampler(name, 5, SCHEDULE), denoiser_of(network), initial_noise([1], SHAPE)
    first = sample(sampler, denoiser, sampler.start(noise), seeds=[1])
    for step in sampler.walk(denoiser, sampler.start(noise), seeds=[1]):
        if step.index == 2:
            break
    assert torch.equal(sample(sampler, denoiser, sampler.start(noise), seeds=[1]), first)


# --- seeds -----------------------------------------------------------------------------------------------------------


@given(seeds=st.lists(st.integers(0, 2**31 + 10**7), min_size=1, max_size=9), data=st.data())
def test_initial_noise_depends_on_the_seed_alone(seeds: list[int], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(seeds) - 1))
    together = initial_noise(seeds, SHAPE)
    assert torch.equal(together[index], initial_noise([seeds[index]], SHAPE)[0])


def test_initial_noise_is_standard_normal_float32_and_new_for_each_seed() -> None:
    noise = initial_noise(range(500), SHAPE)
    assert (noise.shape, noise.dtype) == ((500, *SHAPE), torch.float32)
    assert abs(float(noise.mean())) < 0.02 and abs(float(noise.std()) - 1) < 0.02
    assert len(noise.flatten(1).unique(dim=0)) == 500


@given(seed=st.integers(0, 2**31 - 1))
def test_the_noise_added_is_another_stream_than_the_noise_begun_with(seed: int) -> None:
    """A generator on the CPU takes the last 32 bits of a seed; two seeds that share them would share their noise."""
    begun, (stream,) = initial_noise([seed], (64,))[0], added_noise([seed])
    assert not torch.equal(torch.randn(64, generator=stream), begun)
    assert torch.equal(initial_noise([seed + 2**32], (64,))[0], begun)


def test_initial_noise_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    initial_noise(range(3), SHAPE)
    assert torch.equal(torch.random.get_rng_state(), before)


def sample_in_parts(network: UNet2DModel, name: str, seeds: Sequence[int], size: int) -> Tensor:
    sampler, denoiser = Sampler(name, 4, SCHEDULE), denoiser_of(network)
    parts = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    starts = [(part, sampler.start(initial_noise(part, SHAPE))) for part in parts]
    return torch.cat([sample(sampler, denoiser, start, seeds=part) for part, start in starts])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 7])
def test_an_image_is_the_same_whatever_the_batch(network: UNet2DModel, name: str, size: int) -> None:
    seeds = range(100, 164)
    whole = sample_in_parts(network, name, seeds, 64)
    chosen = seeds[:7]
    assert (sample_in_parts(network, name, chosen, size) - whole[:7]).abs().max() <= 1e-4


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_an_image_is_the_same_whatever_the_shard(network: UNet2DModel, cut: int) -> None:
    seeds = range(12)
    parts = [sample_in_parts(network, "ddim", shard, 4) for shard in (seeds[:cut], seeds[cut:])]
    assert (torch.cat(parts) - sample_in_parts(network, "ddim", seeds, 12)).abs().max() <= 1e-4


# --- convergence to the closed form ----------------------------------------------------------------------------------


def errors(basis: Eigenbasis, name: str, counts: Sequence[int], back: int, **options: Any) -> np.ndarray[Any, Any]:
    """Largest deviation from the closed form `back` steps before the end, for several numbers of steps."""
    found = []
    for steps in counts:
        sampler = Sampler(name, steps, SCHEDULE, **options)
        start = sampler.start(initial_noise(range(3), basis.image_shape).double())
        step = list(sampler.walk(GaussianDenoiser(basis), start))[steps - back]
        found.append(float((step.state - gaussian.state(basis, start, sampler.grid[0], step.level)).abs().max()))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_many_steps_with_the_exact_denoiser_reach_the_closed_form(basis: Eigenbasis, name: str) -> None:
    coarse, fine = errors(basis, name, [20, 500], back=0)
    assert fine < 0.007
    assert fine < coarse / 10


@pytest.mark.parametrize(
    ("name", "options", "order"),
    [
        pytest.param("ddim", {"timestep_spacing": "leading"}, 1, id="ddim"),
        pytest.param("euler", {}, 1, id="euler"),
        pytest.param("heun", {}, 2, id="heun"),
        pytest.param("edmheun", {}, 2, id="edmheun"),
        *(
            pytest.param(name, {"use_karras_sigmas": True}, order, id=name)
            for name, order in [("dpmsolverpp", 2), ("unipc", 3), ("unipc3", 4), ("deis", 2), ("deis3", 3)]
        ),
    ],
)
def test_the_order_of_convergence_is_the_published_one(
    basis: Eigenbasis, name: str, options: dict[str, Any], order: int
) -> None:
    """Before the last step, whose noise level is the schedule's least and does not shrink with the number of steps.

    Solvers of diffusers on Karras' levels: the default ones are rounded to whole times, which hides the order. The corrector of
    UniPC adds one to its order.
    """
    found = errors(basis, name, [50, 100, 200], back=1, **options)
    assert np.log2(found[:-1] / found[1:]) == pytest.approx([order, order], abs=0.18)
