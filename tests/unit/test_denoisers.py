"""Networks from folders and from the Hub's cache: safetensors only, nothing executed, shapes checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from underpainting import artifacts, denoisers, training

REVISION = "0123456789abcdef0123456789abcdef01234567"
SMALL = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "attention_levels": 0,
    "attention_head_dim": 8,
    "norm_num_groups": 4,
}


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return training.make_unet((1, 8, 8), **SMALL)


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A pipeline folder as the workflow writes it."""
    denoisers.save_pipeline(network(), DDIMScheduler(prediction_type="v_prediction"), tmp_path / "pipeline")
    return tmp_path / "pipeline"


def flat_copy(pipeline: Path, folder: Path) -> Path:
    """The layout of the oldest DDPM repositories: all files side by side, a DDPM scheduler."""
    folder.mkdir()
    for file in (pipeline / "unet").iterdir():
        shutil.copy(file, folder)
    DDPMScheduler(beta_end=0.01).save_pretrained(folder)
    return folder


def test_a_pipeline_is_written_for_diffusers_and_read_back(pipeline: Path) -> None:
    loaded, schedule = denoisers.load_network(pipeline)
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), network().parameters(), strict=True))
    assert schedule.config["prediction_type"] == "v_prediction"
    assert not [file for file in pipeline.rglob("*") if file.name.startswith(".")]


def test_the_flat_layout_is_read_with_its_own_schedule(pipeline: Path, tmp_path: Path) -> None:
    denoiser, schedule = denoisers.load_denoiser(flat_copy(pipeline, tmp_path / "flat"), "cpu")
    assert denoiser.image_shape == (1, 8, 8)
    assert denoiser.prediction_type == "epsilon"
    assert torch.equal(schedule.alphas_cumprod, DDPMScheduler(beta_end=0.01).alphas_cumprod)


def test_a_pickle_is_never_read(pipeline: Path) -> None:
    weights = pipeline / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(network().state_dict(), weights.with_name("diffusion_pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(FileNotFoundError, match="only safetensors are read, never a pickle"):
        denoisers.load_network(pipeline)


@pytest.mark.parametrize("missing", ["unet/config.json", "scheduler/scheduler_config.json"])
def test_an_incomplete_folder_is_named(pipeline: Path, missing: str) -> None:
    (pipeline / missing).unlink()
    with pytest.raises(FileNotFoundError, match=missing.split("/")[1]):
        denoisers.load_network(pipeline)


def test_a_network_for_other_images_is_refused() -> None:
    denoisers.require_images(network(), channels=1, size=8)
    with pytest.raises(ValueError, match=r"dataset\.channels and dataset\.image_size"):
        denoisers.require_images(network(), channels=3, size=32)


def test_a_pinned_commit_is_taken_from_the_hubs_cache(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    snapshot = tmp_path / "cache" / "models--someone--digits" / "snapshots" / REVISION
    shutil.copytree(pipeline, snapshot)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert denoisers.fetch("someone/digits", REVISION) == snapshot
    with pytest.raises(FileNotFoundError, match=r"denoiser\.repository: someone/else"):
        denoisers.fetch("someone/else", REVISION)


def test_the_schedule_artifact_runs_from_noise_to_data(tmp_path: Path) -> None:
    denoisers.save_schedule(DDIMScheduler(), tmp_path / "s.zarr.zip")
    data = artifacts.load(tmp_path / "s.zarr.zip")
    assert data["alpha"][0] < 0.01
    assert data["alpha"][-1] > 0.99
    assert data.sizes["step"] == 1000


def test_cuda_is_refused_where_there_is_none() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert denoisers.pick_device("auto") == torch.device("cpu")
    with pytest.raises(ValueError, match="no CUDA device"):
        denoisers.pick_device("cuda")


def test_the_architecture_of_ddpm_cifar10_is_read(tmp_path: Path) -> None:
    """The layout and options of google/ddpm-cifar10-32, narrower."""
    narrow = UNet2DModel(
        sample_size=32,
        block_out_channels=(32, 64, 64, 64),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
    )
    narrow.save_pretrained(tmp_path)
    DDPMScheduler(clip_sample=True, variance_type="fixed_large").save_pretrained(tmp_path)
    denoiser, _ = denoisers.load_denoiser(tmp_path, "cpu")
    images = torch.randn(2, 3, 32, 32)
    assert denoiser(images, 0.6, 0.8).shape == images.shape
