"""The meter counts what a real network, a real training and a real classifier do; no digest knows it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from tests.underpainting.training import test_training
from underpainting import meter
from underpainting.analysis import perturbation
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser, DiffusersDenoiser
from underpainting.noise.levels import training_grid
from underpainting.quality import autoencoder, classifier
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.walk import Sampler, sample
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting_workflow import jobs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def zero() -> None:
    meter.reset()


def test_a_walk_of_a_network_is_counted(network: UNet2DModel) -> None:
    schedule = DDIMScheduler(clip_sample=False)
    denoiser = DiffusersDenoiser(network, training_grid(schedule))
    sampler = Sampler("heun", 3, schedule)
    noise = initial_noise(range(4), denoiser.image_shape)
    begin = time.perf_counter()
    sample(sampler, denoiser, sampler.start(noise))
    lasted = time.perf_counter() - begin
    work = meter.reading()
    assert (work.calls, work.evaluations) == (sampler.calls(), 4 * sampler.calls()) == (5, 20)
    assert 0.2 * lasted < work.network_seconds <= lasted


def test_an_image_without_noise_needs_no_network(network: UNet2DModel) -> None:
    DiffusersDenoiser(network, training_grid(DDIMScheduler()))(torch.zeros(2, 1, 8, 8), 1.0, 0.0)
    assert meter.reading() == meter.Work()


def test_a_call_that_fails_costs_time_but_does_not_count() -> None:
    with pytest.raises(RuntimeError, match="memory"), meter.network_call(8):
        raise RuntimeError("out of memory")
    work = meter.reading()
    assert (work.calls, work.evaluations) == (0, 0)
    assert work.network_seconds > 0


@pytest.mark.parametrize("name", [name for name, kind in SAMPLERS.items() if not kind.relative])
@pytest.mark.parametrize("begin", [0, 2, 5])
def test_a_sampler_knows_its_calls(name: str, begin: int, basis: Eigenbasis) -> None:
    sampler = Sampler(name, 6, DDIMScheduler())
    counting = CountingDenoiser(GaussianDenoiser(basis))
    sample(sampler, counting, initial_noise(range(2), basis.image_shape), begin, seeds=range(2))
    assert counting.calls == sampler.calls(begin)


@pytest.mark.parametrize("name", ["ddim", "heun"])
def test_perturbations_know_their_evaluations(name: str, basis: Eigenbasis) -> None:
    seen = 0

    def denoiser(images: torch.Tensor, alpha: float, sigma: float) -> torch.Tensor:
        nonlocal seen
        seen += len(images)
        return GaussianDenoiser(basis)(images, alpha, sigma)

    sampler, steps = Sampler(name, 6, DDIMScheduler()), [0, 3]
    directions = perturbation.make_directions(basis, [0, 2], 1, 1)
    states = perturbation.unperturbed_states(sampler, denoiser, initial_noise(range(3), basis.image_shape), steps)
    for step in steps:
        perturbation.perturb(sampler, denoiser, states[step], step, directions, 0.1, batch=5)
    assert seen == perturbation.network_evaluations(sampler, 3, len(directions), steps)


def test_training_steps_are_counted_and_planned_from_the_checkpoint_on(tmp_path: Path) -> None:
    with pytest.raises(test_training.StoppedError):
        test_training.trainer(steps=5).run(
            tmp_path / "checkpoint",
            "run",
            seconds=-1,
            every=test_training.stop_at(3),  # type: ignore[arg-type]
        )
    assert (meter.reading().steps, meter.reading().steps_planned) == (3, 5)
    meter.reset()
    test_training.trainer(steps=5).run(tmp_path / "checkpoint", "run")
    work = meter.reading()
    assert (work.steps, work.steps_planned) == (3, 3), "the checkpoint is of the step before"
    assert work.training_seconds > 0
    assert work.calls == 0


def test_the_steps_of_a_classifier_are_counted() -> None:
    shape = classifier.ClassifierShape(1, 4, 8, 4)
    classifier.train(test_training.images(), torch.arange(40) % 4, torch.arange(7), shape, 3, 0, batch_size=16)
    assert meter.reading().steps == meter.reading().steps_planned == 9


def test_the_steps_of_an_autoencoder_are_counted() -> None:
    """Of 40 images 7 are held out: three steps for each pass."""
    shape = autoencoder.AutoencoderShape(*test_training.images().shape[1:3], width=4, features=4)
    autoencoder.train(test_training.images(), torch.arange(7), shape, 2, 0, batch_size=16)
    assert meter.reading().steps == meter.reading().steps_planned == 6


def test_counting_is_cheap() -> None:
    begin = time.process_time()
    for _ in range(1000):
        with meter.network_call(1):
            pass
    assert time.process_time() - begin < 0.05, "a call of the smallest network takes milliseconds"


@pytest.mark.parametrize(
    "script",
    ["sample_trajectories", "train_denoiser", "train_classifier", "train_autoencoder", "solve_flow", "explain_score"],
)
def test_no_result_depends_on_the_meter_or_the_records(script: str) -> None:
    reached = jobs.code_of(ROOT / "scripts", script)
    assert "underpainting/io/artifacts.py" in reached
    assert not [name for name in reached if "meter" in name or "usage" in name]
