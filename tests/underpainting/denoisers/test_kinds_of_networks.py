"""Networks of the variance-preserving path, of EDM and of flow matching: what they learn is what they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from scipy.stats import norm
from torch import Tensor, nn

from tests.helpers.networks import small_unet
from underpainting import denoisers
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.noise.levels import NoiseLevel, vp_level
from underpainting.training import objectives
from underpainting.training.objectives import Objective, TrainingBatch
from underpainting.training.trainer import Recipe, draw

KINDS: tuple[Objective, ...] = ("epsilon", "v_prediction", "sample", "edm", "flow")
EDM = {"sigma_data": 0.5, "sigma_min": 0.002, "sigma_max": 80.0}
CPU = Compute("cpu")
PATHS: dict[str, Callable[[float], NoiseLevel]] = {
    "variance preserving": vp_level,
    "variance exploding": lambda ratio: NoiseLevel(1.0, ratio),
    "straight": lambda ratio: NoiseLevel(1.0 / (1.0 + ratio), ratio / (1.0 + ratio)),
}


def schedule_of(kind: Objective) -> Any:
    return objectives.make_schedule(kind, {}, EDM if kind == "edm" else {})


def batch_of(kind: Objective, clean: Tensor, noise: Tensor, quantiles: Tensor) -> TrainingBatch:
    if kind == "edm":
        return objectives.preconditioned(clean, noise, quantiles, schedule_of(kind), -1.2, 1.2)
    if kind == "flow":
        return objectives.straight(clean, noise, quantiles, schedule_of(kind))
    return objectives.variance_preserving(clean, noise, quantiles, schedule_of(kind), kind)


def ratio_of(kind: Objective, time: float) -> float:
    """sigma / alpha at a network's time, from the definitions of the paths."""
    if kind == "edm":
        return float(np.exp(4 * time))
    if kind == "flow":
        return time / 1000 / (1 - time / 1000)
    square = float(schedule_of(kind).alphas_cumprod[int(time)])
    return float(np.sqrt((1 - square) / square))


class Answer(nn.Module):
    """A network whose output is one number times its input, at the one time that it knows."""

    def __init__(self, slope: float, time: float) -> None:
        super().__init__()
        self.slope, self.time = nn.Parameter(torch.tensor(slope)), time

    def forward(self, images: Tensor, times: Tensor) -> Any:
        torch.testing.assert_close(times.float(), torch.full((len(images),), float(self.time)))
        return type("Output", (), {"sample": self.slope * images})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quantile", [0.2, 0.5, 0.9])
def test_the_best_answer_to_a_training_batch_gives_the_posterior_mean_on_every_path(
    kind: Objective, quantile: float
) -> None:
    """Least squares on the training batches of Gaussian pixels, asked for x_0: lambda alpha x / (alpha^2 lambda + sigma^2)."""
    variance, count = 0.3, 400_000
    generator = torch.Generator().manual_seed(1)
    clean, noise = torch.randn(2, count, 1, 1, 1, generator=generator)
    batch = batch_of(kind, clean * variance**0.5, noise, torch.full((count,), quantile))
    slope = float((batch.inputs * batch.targets).sum() / batch.inputs.square().sum())
    time = float(batch.times[0])
    ratio = ratio_of(kind, time)
    denoiser = denoisers.make_denoiser(Answer(slope, time), schedule_of(kind))
    asked = torch.linspace(-1, 1, 9)[:, None, None, None]
    for path in PATHS.values():
        alpha, sigma = path(ratio)
        expected = variance * alpha / (alpha**2 * variance + sigma**2) * asked
        torch.testing.assert_close(denoiser(asked, alpha, sigma), expected, rtol=0.03, atol=4e-3)


@pytest.mark.parametrize("kind", ["edm", "flow"])
def test_noise_levels_are_stratified(kind: Objective) -> None:
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    recipe = Recipe(steps=1, batch_size=50, prediction_type=kind)
    times = draw(images, schedule_of(kind), recipe, 3).times.double()
    parts = times / 20 if kind == "flow" else 50 * torch.special.ndtr((4 * times + 1.2) / 1.2)
    assert parts.long().tolist() == list(range(50))


@pytest.mark.parametrize("kind", ["v_prediction", "flow"])
def test_log_normal_noise_levels_are_stratified(kind: Objective) -> None:
    """A discrete time has the first ratio that is no smaller than the one drawn, so that the time before is in front of it."""
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    levels = {"noise_levels": "lognormal", "log_sigma_mean": -0.3, "log_sigma_std": 0.9}
    recipe = Recipe(steps=1, batch_size=50, prediction_type=kind, **levels)  # type: ignore[arg-type]
    times = draw(images, schedule_of(kind), recipe, 3).times
    before = times - 1 if kind == "v_prediction" else times - 1e-3
    first, last = (
        [int(50 * norm.cdf((np.log(ratio_of(kind, float(time))) + 0.3) / 0.9)) for time in found]
        for found in (before, times + 1e-3)
    )
    assert all(low <= part <= high for low, part, high in zip(first, range(50), last, strict=True))
    assert np.subtract(last, first).max() <= 1


@pytest.mark.parametrize(("kind", "ends"), [("v_prediction", [0.01, 157.4]), ("flow", [0.0, np.inf])])
def test_log_normal_levels_stay_within_the_path(kind: Objective, ends: list[float]) -> None:
    ratios = objectives.lognormal(torch.tensor([0.0, 0.5, 1.0]), 0.4, 1.0)
    fractions = objectives.time_fractions(ratios, kind, schedule_of(kind))
    zeros = torch.zeros(3, 1, 1, 1)
    times = batch_of(kind, zeros, zeros, fractions).times
    with np.errstate(divide="ignore"):
        found = [ratio_of(kind, np.float64(time)) for time in times]
    np.testing.assert_allclose(found, [ends[0], np.exp(0.4), ends[1]], rtol=0.01)


def test_what_an_edm_network_learns_has_unit_variance_at_every_level() -> None:
    """Their weight lambda makes it so (Karras et al. 2022, App. B.6)."""
    generator = torch.Generator().manual_seed(2)
    clean, noise = torch.randn(2, 100_000, 1, 1, 1, generator=generator)
    for quantile in (0.001, 0.3, 0.999):
        batch = batch_of("edm", 0.5 * clean, noise, torch.full((100_000,), quantile))
        assert float(batch.targets.var()) == pytest.approx(1, abs=0.02)
        assert float(batch.inputs.var()) == pytest.approx(1, abs=0.02)


def test_levels_stay_within_what_the_schedule_says() -> None:
    quantiles = torch.tensor([0.0, 0.5, 1.0])
    batch = batch_of("edm", torch.zeros(3, 1, 1, 1), torch.zeros(3, 1, 1, 1), quantiles)
    assert torch.isfinite(batch.targets).all()
    np.testing.assert_allclose((4 * batch.times).exp(), [0.002, np.exp(-1.2), 80.0], rtol=1e-5)


def test_an_edm_network_is_called_as_diffusers_calls_it() -> None:
    schedule = EDMEulerScheduler(sigma_data=0.4)
    denoiser, network = denoisers.EdmDenoiser(small_unet().eval(), sigma_data=0.4), small_unet().eval()
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for sigma in (0.002, 0.1, 1.0, 80.0):
        with torch.inference_mode():
            noisy = sigma * images
            inputs, time = schedule.precondition_inputs(noisy, sigma), schedule.precondition_noise(sigma)
            expected = schedule.precondition_outputs(noisy, network(inputs, time).sample, sigma)
        torch.testing.assert_close(denoiser(noisy, 1.0, sigma), expected)
        torch.testing.assert_close(denoiser(0.3 * noisy, 0.3, 0.3 * sigma), expected)


def test_a_step_of_a_flow_network_is_that_of_diffusers() -> None:
    schedule, denoiser, network = (
        FlowMatchEulerDiscreteScheduler(),
        denoisers.FlowDenoiser(small_unet().eval()),
        small_unet().eval(),
    )
    schedule.set_timesteps(10)
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for step in (1, 5, 9):
        schedule._step_index = step
        time, (now, following) = schedule.timesteps[step], map(float, schedule.sigmas[step : step + 2])
        with torch.inference_mode():
            expected = schedule.step(network(images, time).sample, time, images).prev_sample
        endpoint = denoiser(images, 1 - now, now)
        noise = denoisers.noise_prediction(images, endpoint, NoiseLevel(1 - now, now))
        torch.testing.assert_close((1 - following) * endpoint + following * noise, expected, rtol=1e-4, atol=1e-5)


def test_beyond_what_an_edm_network_knows_it_is_told_the_nearest_level() -> None:
    told: list[float] = []

    class Listening(Answer):
        def forward(self, images: Tensor, times: Tensor) -> Any:
            told.append(float(times[0]))
            return type("Output", (), {"sample": self.slope * images})

    denoiser = denoisers.EdmDenoiser(Listening(0.0, 0.0), sigma_min=0.01, sigma_max=10.0)
    images = torch.ones(1, 1, 1, 1)
    assert denoiser(images, 1.0, 100.0).item() == pytest.approx(0.25 / (100**2 + 0.25))
    denoiser(images, 1.0, 1e-4)
    assert np.exp(np.multiply(4, told)).tolist() == pytest.approx([10.0, 0.01])


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_tells_the_kind_of_its_network(kind: Objective, tmp_path: Path) -> None:
    schedule = schedule_of(kind)
    denoisers.save_pipeline(small_unet().eval(), schedule, tmp_path)
    loaded, found = denoisers.load_denoiser(tmp_path, CPU)
    assert type(found) is type(schedule)
    assert dict(found.config)["num_train_timesteps"] == 1000
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = denoisers.make_denoiser(small_unet().eval(), schedule)(images, 0.6, 0.8)
    assert torch.equal(loaded(images, 0.6, 0.8), expected)


def test_a_folder_keeps_the_levels_of_an_edm_network(tmp_path: Path) -> None:
    edm = {"sigma_data": 0.3, "sigma_min": 0.01, "sigma_max": 20.0}
    denoisers.save_pipeline(small_unet().eval(), objectives.make_schedule("edm", {}, edm), tmp_path)
    loaded, _ = denoisers.load_denoiser(tmp_path, CPU)
    assert isinstance(loaded, denoisers.EdmDenoiser)
    assert {key: getattr(loaded, key) for key in edm} == edm


def test_an_edm_network_of_another_convention_is_refused() -> None:
    with pytest.raises(ValueError, match="prediction_type 'v_prediction' is not known"):
        denoisers.make_denoiser(small_unet().eval(), EDMEulerScheduler(prediction_type="v_prediction"))


def images_of_diffusers(folder: Path, **options: Any) -> tuple[Any, Tensor]:
    """What the pipeline that the folder names makes of seed 5, and its scheduler."""
    pipeline = DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(generator=torch.Generator().manual_seed(5), num_inference_steps=8, output_type="pt", **options)
    images = made.images if torch.is_tensor(made.images) else torch.from_numpy(made.images).permute(0, 3, 1, 2)
    return pipeline.scheduler, images


@pytest.mark.parametrize("kind", ["flow", "edm"])
def test_diffusers_samples_from_the_folder(kind: Objective, tmp_path: Path) -> None:
    """The Euler steps of its own loop, and ours from the same noise, end at the same images."""
    denoisers.save_pipeline(small_unet().eval(), schedule_of(kind), tmp_path)
    scheduler, theirs = images_of_diffusers(tmp_path, batch_size=1)
    denoiser, _ = denoisers.load_denoiser(tmp_path, CPU)
    state = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    state = state * (scheduler.init_noise_sigma if kind == "edm" else 1.0)
    for now, following in pairwise(scheduler.sigmas.double().tolist()):
        if now == 1.0 and kind == "flow":  # pure noise has no endpoint estimate: the velocity itself
            with torch.inference_mode():
                state = state + (following - now) * small_unet().eval()(state, torch.tensor(1000.0)).sample
            continue
        alpha = (lambda sigma: 1 - sigma) if kind == "flow" else (lambda _: 1.0)
        endpoint = denoiser(state, alpha(now), now)
        noise = denoisers.noise_prediction(state, endpoint, NoiseLevel(alpha(now), now))
        state = alpha(following) * endpoint + following * noise
    torch.testing.assert_close(theirs.float(), (state / 2 + 0.5).clamp(0, 1), atol=2e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_levels_that_a_network_knows_run_from_noise_to_data(kind: Objective, tmp_path: Path) -> None:
    denoisers.save_schedule(schedule_of(kind), tmp_path / "s.zarr.zip")
    levels = artifacts.load(tmp_path / "s.zarr.zip")
    ratio = levels["sigma"].values / levels["alpha"].values
    assert levels.sizes["step"] == 1000
    assert (levels["alpha"] > 0).all()
    assert (levels["sigma"] > 0).all()
    assert (np.diff(ratio) < 0).all()
    ends = {"edm": (80.0, 0.002), "flow": (1999.0, 1 / 1999)}
    if kind in ends:
        np.testing.assert_allclose(ratio[[0, -1]], ends[kind], rtol=1e-9)
