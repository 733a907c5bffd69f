"""Networks from folders and from the Hub's cache: safetensors only, nothing executed, shapes checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from tests.helpers.networks import SMALL, small_unet
from underpainting import denoisers
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.io.errors import InputError
from underpainting.training import objectives
from underpainting_workflow import preflight
from underpainting_workflow.studies import Study

ROOT = Path(__file__).parents[3]
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A pipeline folder as the workflow writes it."""
    denoisers.save_pipeline(small_unet(), DDIMScheduler(prediction_type="v_prediction"), tmp_path / "pipeline")
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
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), small_unet().parameters(), strict=True))
    assert schedule.config["prediction_type"] == "v_prediction"
    assert not [file for file in pipeline.rglob("*") if file.name.startswith(".")]


def test_the_flat_layout_is_read_with_its_own_schedule(pipeline: Path, tmp_path: Path) -> None:
    denoiser, schedule = denoisers.load_denoiser(flat_copy(pipeline, tmp_path / "flat"), Compute("cpu"))
    assert denoiser.image_shape == (1, 8, 8)
    assert denoiser.prediction_type == "epsilon"
    assert torch.equal(schedule.alphas_cumprod, DDPMScheduler(beta_end=0.01).alphas_cumprod)


def test_a_pickle_is_never_read(pipeline: Path) -> None:
    weights = pipeline / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(small_unet().state_dict(), weights.with_name("diffusion_pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(FileNotFoundError, match="only safetensors are read, never a pickle"):
        denoisers.load_network(pipeline)


@pytest.mark.parametrize("missing", ["unet/config.json", "scheduler/scheduler_config.json"])
def test_an_incomplete_folder_is_named(pipeline: Path, missing: str) -> None:
    (pipeline / missing).unlink()
    with pytest.raises(FileNotFoundError, match=missing.split("/")[1]):
        denoisers.load_network(pipeline)


def test_a_network_for_other_images_is_refused() -> None:
    denoisers.require_images(small_unet(), channels=1, size=8)
    with pytest.raises(ValueError, match=r"dataset\.channels and dataset\.image_size"):
        denoisers.require_images(small_unet(), channels=3, size=32)


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


def test_weights_in_half_precision_become_a_network_in_single(tmp_path: Path) -> None:
    denoisers.save_pipeline(small_unet().half(), DDIMScheduler(), tmp_path)
    loaded, _ = denoisers.load_network(tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    for a, b in zip(loaded.parameters(), small_unet().half().parameters(), strict=True):
        assert torch.equal(a, b.float())


# --- checked before any job starts -----------------------------------------------------------------------------------


def with_denoiser(**denoiser: Any) -> Study:
    content = yaml.safe_load((ROOT / "tests/studies/tiny.yaml").read_text())
    return Study.model_validate({**content, "denoiser": denoiser})


def reference(folder: Path, **changes: Any) -> Study:
    """The tiny study with the network of `pipeline`, as if it shipped."""
    architecture = {**SMALL, **changes.pop("architecture", {})}
    training = {"steps": 6, "prediction_type": "v_prediction", **changes.pop("training", {})}
    return with_denoiser(
        source="reference", folder=str(folder), architecture=architecture, training=training, **changes
    )


def test_a_network_that_ships_passes_where_it_is_what_the_study_describes(pipeline: Path) -> None:
    preflight.check_denoiser(reference(pipeline))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"architecture": {"block_out_channels": (8, 32)}}, "architecture.block_out_channels"),
        ({"architecture": {"layers_per_block": 2}}, "architecture.layers_per_block"),
        ({"architecture": {"attention_levels": 1}}, "architecture.attention_levels"),
        ({"architecture": {"norm_num_groups": 8}}, "architecture.norm_num_groups"),
        ({"schedule": {"beta_end": 0.01}}, "schedule.beta_end"),
        ({"training": {"prediction_type": "epsilon"}}, "training.prediction_type"),
    ],
)
def test_a_network_that_is_not_what_the_study_describes_is_refused(
    pipeline: Path, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(InputError, match=rf"denoiser\.{key}: .* is not that of the network in") as error:
        preflight.check_denoiser(reference(pipeline, **changes))
    assert "--config retrain=true" in error.value.problems[0].remedy


@pytest.mark.parametrize("kind", ["edm", "flow"])
def test_a_network_that_ships_may_be_of_another_kind(tmp_path: Path, kind: Any) -> None:
    edm = {"sigma_data": 0.4, "sigma_min": 0.002, "sigma_max": 80.0} if kind == "edm" else {}
    denoisers.save_pipeline(small_unet(), objectives.make_schedule(kind, {}, edm), tmp_path)
    described = {"edm": edm} if edm else {}
    preflight.check_denoiser(reference(tmp_path, training={"prediction_type": kind}, **described))
    with pytest.raises(InputError, match=r"training\.prediction_type: v_prediction is not that .*, " + kind):
        preflight.check_denoiser(reference(tmp_path, training={"prediction_type": "v_prediction"}))
    if edm:
        with pytest.raises(InputError, match=r"denoiser\.edm\.sigma_data: 0\.5 is not that .*, 0\.4"):
            preflight.check_denoiser(reference(tmp_path, training={"prediction_type": kind}))


def test_a_missing_network_that_ships_is_told_with_both_remedies(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"denoiser\.folder: there is no folder .*nowhere") as error:
        preflight.check_denoiser(reference(tmp_path / "nowhere"))
    assert "denoiser.source: train, or --config retrain=true" in error.value.problems[0].remedy


def test_how_to_get_a_missing_network_is_told(tmp_path: Path) -> None:
    study = with_denoiser(source="path", path=str(tmp_path / "nowhere"), obtain="ask its author for it")
    with pytest.raises(InputError) as error:
        preflight.check_denoiser(study)
    assert error.value.problems[0].remedy == "ask its author for it"


@pytest.mark.parametrize("source", ["path", "reference"])
@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("unet/config.json", "save_pretrained"),
        ("unet/diffusion_pytorch_model.safetensors", "convert the weights to safetensors"),
        ("scheduler/scheduler_config.json", "scheduler_config.json"),
    ],
)
def test_an_incomplete_network_is_refused_before_any_job(
    pipeline: Path, source: str, missing: str, remedy: str
) -> None:
    (pipeline / missing).unlink()
    study = reference(pipeline) if source == "reference" else with_denoiser(source="path", path=str(pipeline))
    with pytest.raises(InputError, match=f"holds no {missing}") as error:
        preflight.check_denoiser(study)
    assert remedy in error.value.problems[0].remedy


def test_a_spoilt_configuration_is_named(pipeline: Path) -> None:
    (pipeline / "unet" / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"denoiser\.path: .*unet/config\.json is no JSON"):
        preflight.check_denoiser(with_denoiser(source="path", path=str(pipeline)))


def test_a_network_in_the_hubs_cache_is_checked_as_far_as_it_is_there(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    study = with_denoiser(source="hub", repository="someone/digits", revision=REVISION)
    assert denoisers.find_cached("someone/digits", REVISION) is None
    preflight.check_denoiser(study)

    snapshot = tmp_path / "cache" / "models--someone--digits" / "snapshots" / REVISION
    shutil.copytree(pipeline, snapshot)
    (snapshot / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert denoisers.find_cached("someone/digits", REVISION) == snapshot
    preflight.check_denoiser(study)

    config = json.loads((snapshot / "unet" / "config.json").read_text())
    (snapshot / "unet" / "config.json").write_text(json.dumps({**config, "sample_size": 32}))
    with pytest.raises(InputError, match="8 pixels do not fit a network for images of 32"):
        preflight.check_denoiser(study)


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
    denoiser, _ = denoisers.load_denoiser(tmp_path, Compute("cpu"))
    images = torch.randn(2, 3, 32, 32)
    assert denoiser(images, 0.6, 0.8).shape == images.shape
