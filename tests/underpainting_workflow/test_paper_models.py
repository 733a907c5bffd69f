"""The paper's models by snapshots of their layout and architecture, random weights inside."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel

from tests.snapshots import SNAPSHOTS, configuration, write
from underpainting import denoisers
from underpainting.denoisers import CountingDenoiser
from underpainting.denoisers.compute import Compute
from underpainting.io.errors import InputError
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample
from underpainting_workflow import preflight
from underpainting_workflow.studies import Study, load_study
from underpainting_workflow.studies.denoiser import HubDenoiser, PathDenoiser

ROOT = Path(__file__).resolve().parents[2]


def study(name: str, data: Path) -> Study:
    return load_study(ROOT / "config" / "studies" / f"{name}.yaml", str(data))


def place(name: str, data: Path, cache: Path) -> Path:
    """Where the study looks for its network: the data folder, or the Hub's cache."""
    denoiser = study(name, data).denoiser
    if isinstance(denoiser, HubDenoiser):
        return cache / f"models--{denoiser.repository.replace('/', '--')}" / "snapshots" / denoiser.revision
    assert isinstance(denoiser, PathDenoiser)
    return Path(denoiser.path)


def peak_gibibytes() -> float:
    """The most memory that this process ever held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_the_architectures_have_the_published_number_of_parameters(name: str) -> None:
    """35.7 and 113.7 million: 143 and 455 MB in single precision, which is what the repositories list."""
    with torch.device("meta"):
        network = UNet2DModel(**configuration(name))
    assert sum(parameter.numel() for parameter in network.parameters()) == SNAPSHOTS[name].parameters


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_snapshot_passes_the_checks_of_its_study_and_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    folder = place(name, tmp_path / "data", tmp_path / "cache")
    write(name, folder, narrower=4)
    chosen = study(name, tmp_path / "data")
    preflight.check_denoiser(chosen)
    if isinstance(chosen.denoiser, HubDenoiser):
        assert denoisers.find_cached(chosen.denoiser.repository, chosen.denoiser.revision) == folder
    denoiser, schedule = denoisers.load_denoiser(folder, Compute("cpu"))
    size = chosen.dataset.image_size
    assert denoiser.image_shape == (chosen.dataset.channels, size, size)
    assert denoiser.prediction_type == "epsilon"
    assert schedule.config["num_train_timesteps"] == 1000
    images = initial_noise([1], denoiser.image_shape)
    estimate = denoiser(images, 0.6, 0.8)
    assert estimate.shape == images.shape
    assert estimate.isfinite().all()


@pytest.mark.parametrize("name", [name for name in SNAPSHOTS if name != "ddpm_cifar10"])
def test_without_its_network_a_study_says_how_to_get_it(name: str, tmp_path: Path) -> None:
    """The repositories hold pickles: neither their absence nor a pickle itself lets a job start."""
    chosen = study(name, tmp_path)
    with pytest.raises(InputError, match=r"denoiser\.path: there is no folder") as error:
        preflight.check_denoiser(chosen)
    assert "hf download" in error.value.problems[0].remedy
    assert "docs/weights.md" in error.value.problems[0].remedy
    folder = write(name, place(name, tmp_path, tmp_path), narrower=4)
    weights = next(folder.rglob("*.safetensors"))
    shutil.move(weights, weights.with_suffix(".bin"))
    with pytest.raises(InputError, match=r"holds no .*safetensors\. Remedy: convert"):
        preflight.check_denoiser(chosen)


def test_a_network_of_another_size_does_not_pass(tmp_path: Path) -> None:
    write("ddpm_mnist", place("ddpm_church", tmp_path, tmp_path), narrower=4)
    with pytest.raises(InputError, match=r"dataset\.image_size: 256 pixels do not fit a network for images of 32"):
        preflight.check_denoiser(study("ddpm_church", tmp_path))


def test_the_cifar10_model_samples_at_full_size(tmp_path: Path) -> None:
    """Two steps of DDIM cost two calls; the time a call takes and what the peak of memory gained are told on failure."""
    folder, before = write("ddpm_cifar10", tmp_path), peak_gibibytes()
    denoiser, schedule = denoisers.load_denoiser(folder, Compute("cpu"))
    counting = CountingDenoiser(denoiser)
    sampler = Sampler("ddim", 2, schedule)
    start = time.perf_counter()
    images = sample(sampler, counting, sampler.start(initial_noise([0, 1], denoiser.image_shape)))
    seconds = (time.perf_counter() - start) / counting.calls
    gained = peak_gibibytes() - before
    measured = f"{seconds:.2f} s for a call on two images, {gained:.2f} GiB more than before"
    assert counting.calls == 2, measured
    assert images.shape == (2, 3, 32, 32), measured
    assert images.isfinite().all(), measured
    assert gained < 1.5, measured
    assert seconds < 30, measured
