"""The scheduler of a copied network says what the study runs: diffusers' own pipeline on the copy makes the study's images."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.ddim.pipeline_ddim import DDIMPipeline
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler

from scripts.fetch_denoiser import main as fetch
from tests.helpers.pipelines import basis, quiet, tells, unet
from underpainting import denoisers
from underpainting.denoisers.compute import Compute
from underpainting.io.errors import InputError
from underpainting.pipeline import TeleportPipeline
from underpainting.samplers import trajectories
from underpainting_workflow import preflight
from underpainting_workflow.studies import Study, files, load_study

SEEDS = [3, 4, 5]
ROOT = Path(__file__).resolve().parents[2]
RUNS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "clipped": {"clip_sample": True},
    "clipped, trailing": {"clip_sample": True, "timestep_spacing": "trailing"},
}


def study_of(**sampler: Any) -> Study:
    """The tiny study with a network from elsewhere, and the settings of its main sampler."""
    study = load_study(ROOT / "tests/studies/tiny.yaml").model_dump(by_alias=True)
    study["denoiser"] = {"source": "path", "path": "network"}
    study["trajectories"]["samplers"] = [{"name": "heun", "steps": 4}, {"name": "ddim", "steps": 10, **sampler}]
    return Study.model_validate(study)


def copied(folder: Path, study: Study) -> Path:
    """What the rule makes of a network whose file clips, thresholds and has a spacing of its own."""
    unet().save_pretrained(folder / "network/unet")
    scheduler = DDPMScheduler(
        prediction_type="v_prediction", clip_sample=True, variance_type="fixed_large", timestep_spacing="linspace"
    )
    scheduler.save_pretrained(folder / "network/scheduler")
    output = {"index": str(folder / "copy/model_index.json"), "schedule": str(folder / "copy/schedule.zarr.zip")}
    config = {"source": "path", "channels": 1, "size": 8, **files.sources.sampler_of_network(study)}
    fetch(output, "tiny", config, str(folder / "network"), "")
    return folder / "copy"


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_diffusers_pipeline_on_the_copy_makes_the_study_s_images(run: dict[str, Any], tmp_path: Path) -> None:
    study = study_of(**run)
    folder = copied(tmp_path, study)
    denoiser, schedule = denoisers.load_denoiser(folder, Compute("cpu"))
    (choice,) = (one for one in study.trajectories.samplers if one.name == "ddim")
    sampler = trajectories.make_sampler(choice.model_dump(), schedule)
    with torch.inference_mode():
        recorded = trajectories.record(sampler, denoiser, SEEDS, denoiser.image_shape)
    images = recorded["state"].values[:, -1].clip(-1, 1)
    assert tells(images)

    own = DDIMPipeline.from_pretrained(folder)
    own.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    made = own(batch_size=3, generator=generators, num_inference_steps=10, output_type="np").images
    assert np.abs(made.transpose(0, 3, 1, 2) * 2 - 1 - images).max() <= 1e-5

    ours = quiet(TeleportPipeline.from_pretrained(folder, basis=basis()))
    again = ours(seeds=SEEDS, num_inference_steps=10, skipped_steps=0, output_type="pt").images
    assert np.abs(again.numpy() * 2 - 1 - images).max() <= 1e-5
    clipped = np.abs(recorded["endpoint"].values[:, :-1]).max() <= 1
    assert clipped == run.get("clip_sample", False)


def test_only_the_settings_of_the_main_sampler_count(tmp_path: Path) -> None:
    """What a job is given is the same for all other studies; the rest of the model's file stays."""
    assert files.sources.sampler_of_network(study_of()) == {}
    assert files.sources.sampler_of_network(study_of(timestep_spacing="leading")) == {}
    assert files.sources.sampler_of_network(study_of(clip_sample=True)) == {"sampler": {"clip_sample": True}}
    _, schedule = denoisers.load_denoiser(copied(tmp_path, study_of()), Compute("cpu"))
    assert (schedule.config["variance_type"], schedule.config["clip_sample"]) == ("fixed_large", False)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "faces"])
def test_a_scheduler_that_says_so_already_keeps_its_bytes(name: str, tmp_path: Path) -> None:
    folder = ROOT / "config/networks" / name / "scheduler"
    _, schedule = denoisers.load_network(folder.parent)
    trajectories.as_run(schedule, {}).save_pretrained(tmp_path)
    file = "scheduler_config.json"
    assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


@pytest.mark.parametrize(("steps", "fits"), [(500, True), (1000, False)])
def test_an_offset_of_the_model_s_times_is_checked_before_any_job(steps: int, fits: bool, tmp_path: Path) -> None:
    unet().save_pretrained(tmp_path / "unet")
    DDPMScheduler(steps_offset=1).save_pretrained(tmp_path / "scheduler")
    study = study_of(timestep_spacing="leading")
    samplers = (study.trajectories.samplers[1].model_copy(update={"steps": steps}),)
    changed = study.model_copy(update={"trajectories": study.trajectories.model_copy(update={"samplers": samplers})})
    with nullcontext() if fits else pytest.raises(InputError, match="steps_offset of 1"):
        preflight.check_network(changed, str(tmp_path), "denoiser.path", "-")


def test_schedulers_of_other_paths_stay_as_they_are() -> None:
    schedule = EDMEulerScheduler()
    assert trajectories.as_run(schedule, {"clip_sample": True}) is schedule
