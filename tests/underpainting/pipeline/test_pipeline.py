"""The diffusers pipeline: it gives the workflow's images, travels as diffusers' pipelines do, refuses what does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import schedulers
from diffusers.pipelines.ddim.pipeline_ddim import DDIMPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from tests.helpers.pipelines import (
    basis,
    in_network_range,
    pipeline,
    quiet,
    schedule,
    scheduler_of,
    stored,
    tells,
    unet,
    workflow,
)
from underpainting import denoisers
from underpainting.basis.stored import BasisFileError, Card, StoredBasis, save_basis
from underpainting.denoisers import adaptive_batches
from underpainting.pipeline import TeleportBasis, TeleportPipeline
from underpainting.pipeline.class_conditional import LabelledNetwork
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.walk import Sampler

pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept")  # diffusers' DEIS hands tensors to NumPy

REVISION = "a" * 40
HAVE_A_SCHEDULER = sorted({*SAMPLERS} - {"edmchurn", "ipndm2", "ipndm3", "relative"})  # no classes of diffusers


def alike(one: TeleportPipeline, other: TeleportPipeline, **options: Any) -> bool:
    """Whether both give the same images, up to the rounding of weights that lie elsewhere in memory."""
    both = [
        pipe(seeds=[7], num_inference_steps=4, skipped_steps=2, output_type="pt", **options).images
        for pipe in (one, other)
    ]
    return bool((both[0] - both[1]).abs().max() < 1e-6)


# --- the workflow's images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "clip"), [(name, clip) for name in HAVE_A_SCHEDULER for clip in {False, SAMPLERS[name].clips}]
)
def test_the_images_are_the_workflow_s_with_every_scheduler(name: str, clip: bool, tmp_path: Path) -> None:
    """Clipped where the scheduler says so."""
    denoisers.save_pipeline(unet(), schedule("v_prediction"), tmp_path)
    pipe = pipeline(scheduler=scheduler_of(name, "v_prediction", clip))
    found = pipe(seeds=[3, 5, 8], num_inference_steps=10, skipped_steps=4, output_type="pt")
    expected = workflow(tmp_path, [3, 5, 8], 4, name, clip_sample=clip)
    assert tells(expected)
    assert np.abs(in_network_range(found.images) - expected).max() < 1e-5
    assert found.nfe == Sampler(name, 10, schedule()).calls(4)


def test_an_image_depends_on_its_own_seed_alone() -> None:
    pipe = pipeline()
    options: dict[str, Any] = {"num_inference_steps": 6, "skipped_steps": 2, "output_type": "pt"}
    both, one = (pipe(seeds=seeds, **options).images for seeds in ([1, 2], [2]))
    assert (both[1] - one[0]).abs().max() < 1e-5
    assert (both[0] - both[1]).abs().max() > 1e-2


def test_without_a_seed_the_output_tells_those_that_were_taken() -> None:
    pipe = pipeline()
    drawn = pipe(batch_size=2, num_inference_steps=3, skipped_steps=1, output_type="pt")
    again = pipe(seeds=drawn.seeds, num_inference_steps=3, skipped_steps=1, output_type="pt")
    assert torch.equal(drawn.images, again.images)
    assert drawn.seeds != pipe(batch_size=2, num_inference_steps=3, skipped_steps=1).seeds


@pytest.mark.parametrize("clip", [False, True])
def test_without_a_jump_it_is_diffusers_own_pipeline(clip: bool) -> None:
    own = DDIMPipeline(unet(), DDIMScheduler(clip_sample=clip))
    own.set_progress_bar_config(disable=True)
    options = {"batch_size": 2, "num_inference_steps": 8, "output_type": "np"}
    expected = own(generator=torch.Generator().manual_seed(1), **options).images
    found = pipeline()(generator=torch.Generator().manual_seed(1), skipped_steps=0, clip_sample=clip, **options)
    assert found.seeds is None
    assert np.abs(found.images - expected).max() < 1e-4  # it predicts noise where we estimate the endpoint, in float32


def test_a_call_clips_or_not_whatever_its_scheduler_says() -> None:
    """A sampler that the call names does not clip unless the call says so."""
    plain, clipping = pipeline(), pipeline(scheduler=DDIMScheduler(clip_sample=True))
    options: dict[str, Any] = {"seeds": [0, 1], "num_inference_steps": 4, "skipped_steps": 1, "output_type": "pt"}
    free, clipped = plain(**options).images, clipping(**options).images
    assert (free - clipped).abs().max() > 1e-3
    assert torch.equal(clipping(**options, clip_sample=False).images, free)
    assert torch.equal(plain(**options, clip_sample=True).images, clipped)
    assert torch.equal(clipping(**options, sampler="ddim").images, free)
    assert torch.equal(clipping(**options, sampler="ddim", clip_sample=True).images, clipped)
    with pytest.raises(ValueError, match="Euler of diffusers cannot clip endpoint estimates"):
        plain(**options, sampler="euler", clip_sample=True)


def test_an_offset_of_the_times_is_that_of_diffusers() -> None:
    """On a grid that is handed over, it would shift the times a second time."""
    offset = DDIMScheduler(clip_sample=False, steps_offset=1, prediction_type="v_prediction")
    own = DDIMPipeline(unet(), offset)
    own.set_progress_bar_config(disable=True)
    options = {"batch_size": 2, "num_inference_steps": 8, "output_type": "np"}
    expected = own(generator=torch.Generator().manual_seed(1), **options).images
    found = pipeline(scheduler=offset)(generator=torch.Generator().manual_seed(1), skipped_steps=0, **options)
    assert np.abs(found.images - expected).max() < 1e-5


@pytest.mark.parametrize("setting", [{"set_alpha_to_one": False}, {"steps_offset": 1}], ids=str)
def test_a_setting_of_a_scheduler_s_own_ends_leaves_the_jump_s_grid_alone(setting: dict[str, Any]) -> None:
    options: dict[str, Any] = {"seeds": [0], "num_inference_steps": 4, "design": "regrid", "output_type": "np"}
    changed = DDIMScheduler(clip_sample=False, **setting)
    assert np.array_equal(pipeline(scheduler=changed)(**options).images, pipeline()(**options).images)


def test_the_settings_of_the_scheduler_count() -> None:
    spaced = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    pipe, options = (
        pipeline(scheduler=spaced),
        {"num_inference_steps": 5, "skipped_steps": 1, "return_trajectory": True},
    )
    grid = pipe(seeds=[0], **options).trajectory.grid
    assert np.array_equal(grid.alpha, Sampler("ddim", 5, schedule(), timestep_spacing="trailing").grid.alpha[1:])
    assert not np.array_equal(grid.alpha, Sampler("ddim", 5, schedule()).grid.alpha[1:])


# --- outputs ---------------------------------------------------------------------------------------------------------


def test_the_trajectory_holds_every_state_and_estimate() -> None:
    pipe = pipeline()
    found = pipe(seeds=[0, 1], num_inference_steps=6, skipped_steps=2, return_trajectory=True, output_type="pt")
    walked = found.trajectory
    assert walked.states.shape == walked.endpoints.shape == (2, 5, 1, 8, 8)
    assert (walked.first, len(walked.grid)) == (2, 5)
    assert torch.equal((walked.states[:, -1].clamp(-1, 1) + 1) / 2, found.images)
    level = walked.grid[0]
    noise = (walked.states[:, 0] - level.alpha * walked.endpoints[:, 0]) / level.sigma
    following = walked.grid[1]  # DDIM moves along its own estimate
    assert torch.allclose(
        following.alpha * walked.endpoints[:, 0] + following.sigma * noise, walked.states[:, 1], atol=1e-5
    )


def test_a_fraction_is_one_of_all_steps() -> None:
    pipe = pipeline()
    assert pipe(seeds=[0], num_inference_steps=10, skipped_fraction=0.29).skipped_steps == 2
    assert pipe(seeds=[0], num_inference_steps=10, skipped_fraction=0.3).nfe == 7


def test_images_come_in_the_forms_of_diffusers() -> None:
    pipe, options = pipeline(), {"seeds": [4, 5], "num_inference_steps": 3, "skipped_steps": 1}
    (array,) = pipe(**options, output_type="np", return_dict=False)
    pictures = pipe(**options).images
    tensor = pipe(**options, output_type="pt").images
    assert array.shape == (2, 8, 8, 1)
    assert 0 <= array.min() <= array.max() <= 1
    assert np.array_equal(array[..., 0], tensor.numpy()[:, 0])
    assert np.array_equal(np.asarray(pictures[1]), (array[1, ..., 0] * 255).round().astype("uint8"))


def test_a_callback_sees_each_step_and_its_time() -> None:
    seen: list[tuple[int, float, float]] = []

    def look(pipe: TeleportPipeline, step: int, time: float, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(pipe, TeleportPipeline)
        seen.append((step, time, float(tensors["latents"].sum())))
        return tensors

    found = pipeline()(
        seeds=[0],
        num_inference_steps=5,
        skipped_steps=2,
        callback_on_step_end=look,
        return_trajectory=True,
        output_type="pt",
    )
    scheduler = schedule()
    scheduler.set_timesteps(5)
    assert [(step, time) for step, time, _ in seen] == [(k, float(scheduler.timesteps[k])) for k in (2, 3, 4)]
    assert [total for *_, total in seen] == [float(state.sum()) for state in found.trajectory.states[0, 1:]]


def test_a_callback_that_replaces_the_state_is_told_that_it_cannot() -> None:
    with pytest.raises(ValueError, match="looks on and cannot replace a state"):
        pipeline()(
            seeds=[0],
            num_inference_steps=3,
            skipped_steps=1,
            callback_on_step_end=lambda *a: {"latents": a[3]["latents"] * 2},
        )


# --- classes ---------------------------------------------------------------------------------------------------------


def test_each_image_jumps_with_the_gaussian_of_its_class_and_the_network_hears_of_it() -> None:
    """Against one pipeline per class whose only basis is that of the class, and diffusers' call of the network."""
    network, gaussians = unet(num_class_embeds=3), basis(classes=3)
    options: dict[str, Any] = {
        "num_inference_steps": 6,
        "skipped_steps": 3,
        "output_type": "pt",
        "return_trajectory": True,
    }
    pipe = pipeline(unet=network, basis=gaussians)
    together = pipe(seeds=[0, 1, 2], class_labels=[2, 0, 2], **options)
    for seed, label in enumerate([2, 0, 2]):
        alone = TeleportBasis.of(StoredBasis.of(gaussians.gaussian(label), "one class"))
        single = pipeline(unet=network, basis=alone)(seeds=[seed], class_labels=label, **options)
        assert (single.images[0] - together.images[seed]).abs().max() < 1e-5
        level, state = together.trajectory.grid[0], together.trajectory.states[seed : seed + 1, 0]
        time = next(t for t in range(1000) if abs(float(pipe.scheduler.alphas_cumprod[t]) - level.alpha**2) < 1e-9)
        with torch.no_grad():
            noise = network(state, time, class_labels=torch.tensor([label])).sample
        expected = (state - level.sigma * noise) / level.alpha
        assert (expected - together.trajectory.endpoints[seed, 0]).abs().max() < 1e-4
    other = pipe(seeds=[0, 1, 2], class_labels=1, **options)
    assert (other.images - together.images).abs().max() > 1e-3


def test_an_unconditional_network_can_jump_class_by_class() -> None:
    found = pipeline(basis=basis(classes=2))(
        seeds=[0], class_labels=1, num_inference_steps=3, skipped_steps=2, output_type="pt"
    )
    plain = pipeline(basis=basis(classes=2))(seeds=[0], num_inference_steps=3, skipped_steps=2, output_type="pt")
    assert (found.images - plain.images).abs().max() > 1e-3


def test_parts_of_a_batch_keep_their_labels_where_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    network, labels = unet(num_class_embeds=4), torch.arange(4)
    images, times = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.full((4,), 500.0)
    with torch.no_grad():
        expected = network(images, times, labels).sample
        whole = network.forward

        def scarce(pictures: Tensor, *rest: Any, **more: Any) -> Any:
            if len(pictures) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return whole(pictures, *rest, **more)

        monkeypatch.setattr(network, "forward", scarce)
        calls = adaptive_batches.AdaptiveBatches(lambda pictures, at: labelled(pictures, at).sample)
        labelled = LabelledNetwork(network, labels)
        assert torch.allclose(calls(images, times), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "classes", "labels", "message"),
    [
        ({"num_class_embeds": 3}, 0, None, "the network is class-conditional; give class_labels"),
        ({}, 0, 1, "neither network nor basis knows classes"),
        ({"num_class_embeds": 3}, 0, [0, 3], "between 0 and 2, the classes of the network"),
        ({"num_class_embeds": 3}, 2, [0, 2], "between 0 and 1, the classes of the basis"),
        ({"num_class_embeds": 3}, 0, [0, 1, 2], "must be 2 whole numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(network: dict[str, Any], classes: int, labels: Any, message: str) -> None:
    pipe = pipeline(unet=unet(**network), basis=basis(classes=classes))
    with pytest.raises(ValueError, match=message):
        pipe(seeds=[0, 1], class_labels=labels, num_inference_steps=3, skipped_steps=1)


# --- travelling ------------------------------------------------------------------------------------------------------


def test_a_saved_pipeline_loads_from_its_folder_and_gives_the_same(tmp_path: Path) -> None:
    pipe = pipeline(basis=basis(classes=2))
    pipe.save_pretrained(tmp_path)
    files = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert {"basis/config.json", "basis/diffusion_pytorch_model.safetensors", "basis/README.md"} < files
    assert not [name for name in files if not name.endswith((".json", ".md", ".safetensors"))]
    loaded = quiet(TeleportPipeline.from_pretrained(tmp_path))
    assert alike(loaded, pipe, class_labels=1)
    assert loaded.basis.card == pipe.basis.card
    assert "| range | -1 to 1 |" in (tmp_path / "basis/README.md").read_text()


def test_it_loads_offline_from_the_hub_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "cache" / "models--someone--digits"
    pipe = pipeline()
    pipe.save_pretrained(repository / "snapshots" / REVISION)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)
    place = {"cache_dir": str(tmp_path / "cache")}
    loaded = quiet(TeleportPipeline.from_pretrained("someone/digits", **place))
    assert alike(loaded, pipe)
    alone = TeleportBasis.from_pretrained("someone/digits", subfolder="basis", **place)
    assert torch.equal(alone.vectors, pipe.basis.vectors)
    with pytest.raises(BasisFileError, match="someone/else: neither a folder with a basis nor one on the Hub"):
        TeleportBasis.from_pretrained("someone/else", **place)


def test_a_network_of_others_takes_a_basis_from_a_file(tmp_path: Path) -> None:
    """The layout of google/ddpm-cifar10-32, all files side by side."""
    unet().save_pretrained(tmp_path)
    schedulers.DDPMScheduler().save_pretrained(tmp_path)
    index = {
        "_class_name": "DDPMPipeline",
        "scheduler": ["diffusers", "DDPMScheduler"],
        "unet": ["diffusers", "UNet2DModel"],
    }
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    save_basis(stored(), tmp_path / "basis.safetensors")
    pipe = quiet(
        TeleportPipeline.from_pretrained(tmp_path, basis=TeleportBasis.from_file(tmp_path / "basis.safetensors"))
    )
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    assert pipe(seeds=[0], num_inference_steps=3, skipped_steps=2, output_type="np").images.shape == (1, 8, 8, 1)
    with pytest.raises(ValueError, match=r"needs a basis of the training images: pass basis=TeleportBasis\.from_file"):
        TeleportPipeline.from_pretrained(tmp_path)


def test_what_goes_to_the_hub_is_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the upload itself, which needs the Hub."""
    from diffusers.utils import hub_utils
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub_utils, "create_repo", lambda name, **_: type("Repository", (), {"repo_id": name}))
    monkeypatch.setattr(
        hub_utils, "upload_folder", lambda folder_path, **_: shutil.copytree(folder_path, tmp_path / "sent")
    )
    pipe = pipeline()
    pipe.push_to_hub("someone/digits")
    loaded = quiet(TeleportPipeline.from_pretrained(tmp_path / "sent"))
    assert alike(loaded, pipe)


def test_the_basis_stays_in_float64_whatever_the_network_is_given(tmp_path: Path) -> None:
    pipe = pipeline()
    pipe.to(torch.float16)
    assert {tensor.dtype for tensor in pipe.basis.buffers()} == {torch.float64}
    assert torch.equal(pipe.basis.gaussian().vectors, stored().all_images.vectors)
    pipe.save_pretrained(tmp_path)
    loaded = TeleportPipeline.from_pretrained(tmp_path, torch_dtype=torch.float16)
    assert next(loaded.unet.parameters()).dtype == torch.float16
    assert {tensor.dtype for tensor in loaded.basis.buffers()} == {torch.float64}


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        ({}, (1, 4, 4), "one of 1 x 4 x 4 images, the network takes 1 x 8 x 8"),
        ({}, (3, 8, 8), "one of 3 x 8 x 8 images, the network takes 1 x 8 x 8"),
        ({"sample_size": None}, (3, 8, 8), "one of 3 x 8 x 8 images, the network takes 1 x 8 x 8"),
        ({"out_channels": 2}, (1, 8, 8), "networks that also predict a variance are not supported"),
    ],
)
def test_a_basis_of_other_images_is_refused_at_construction(
    network: dict[str, Any], shape: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline(unet=unet(**network), basis=basis(shape))


def test_a_basis_of_another_range_is_refused_at_construction() -> None:
    spoken = dict(basis().config["card"], image_range=[0.0, 1.0])
    with pytest.raises(BasisFileError, match=r"a basis of images in \[0.0, 1.0\], but networks work in \[-1.0, 1.0\]"):
        pipeline(basis=TeleportBasis(card=spoken))
    assert Card.read(spoken).image_range == (0.0, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skipped_steps": 3}, "cannot skip 3 of 3 steps; give a number of steps from 0 to 2"),
        ({"skipped_steps": 1.5}, r"cannot skip 1\.5 of 3 steps"),
        ({"skipped_steps": None, "skipped_fraction": 1.5}, r"skipped_fraction is 1\.5; give a number from 0 to less"),
        ({"skipped_fraction": 0.5}, "skipped_steps and skipped_fraction are both given"),
        ({"skipped_steps": -1}, "cannot skip -1 of 3 steps"),
        ({"batch_size": 3}, "2 seeds are given for 3 images"),
        ({"generator": torch.Generator()}, "seeds and generator both say"),
        ({"output_type": "jpeg"}, "output_type 'jpeg' is unknown; use pil, np, pt"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline()(**{"seeds": [0, 1], "num_inference_steps": 3, "skipped_steps": 1, **options})


def test_a_scheduler_without_a_sampler_is_named() -> None:
    pipe = pipeline(scheduler=schedulers.KDPM2DiscreteScheduler())
    with pytest.raises(ValueError, match="the scheduler KDPM2DiscreteScheduler has no sampler here; put one of DDIM"):
        pipe(seeds=[0])
    with pytest.raises(
        ValueError, match="the noise path of the scheduler 'CMStochasticIterativeScheduler' is not known"
    ):
        pipeline(scheduler=schedulers.CMStochasticIterativeScheduler())


def test_a_solver_whose_noise_belongs_to_no_seed_is_refused() -> None:
    pipe = pipeline(scheduler=schedulers.DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++"))
    with pytest.raises(ValueError, match="draws noise that belongs to no seed; use 'dpmsolver"):
        pipe(seeds=[0])


def test_pickles_are_neither_read_nor_written(tmp_path: Path) -> None:
    pipe = pipeline()
    with pytest.raises(ValueError, match="saved as safetensors only"):
        pipe.basis.save_pretrained(tmp_path, safe_serialization=False)
    pipe.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="only safetensors are read"):
        TeleportPipeline.from_pretrained(tmp_path, use_safetensors=False)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(pipe.unet.state_dict(), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(OSError, match="safetensors"):
        TeleportPipeline.from_pretrained(tmp_path)
