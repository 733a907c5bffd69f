"""Denoisers that the workflow does not train."""

from __future__ import annotations

import torch
from diffusers.pipelines.ddim.pipeline_ddim import DDIMPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from safetensors.torch import load_file, save_file

from tests.helpers.networks import small_unet
from tests.workflow.project import Project
from underpainting import denoisers
from underpainting.basis import eigenbasis
from underpainting.io import artifacts
from underpainting.samplers import trajectories
from underpainting.theory.gaussian import coloured_noise


def test_a_network_from_a_folder_serves_a_study(copy: Project) -> None:
    """The trained network, moved away and named by its path: same bytes, and new weights are noticed."""
    (copy.folder / "results/tiny/denoiser").rename(copy.folder / "network")
    study = copy.study()
    study["denoiser"] = {"source": "path", "path": "network"}
    copy.write(study)
    copy.build("results/tiny/denoiser/model_index.json")
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert (copy.folder / "results/tiny/denoiser" / weights).read_bytes() == (
        copy.folder / "network" / weights
    ).read_bytes()
    others = {name: 2 * tensor for name, tensor in load_file(copy.folder / "network" / weights).items()}
    save_file(others, copy.folder / "network" / weights)
    assert copy.planned("results/tiny/denoiser/model_index.json") == {"fetch_denoiser": 1}


def test_a_clipped_study_of_a_model_that_says_otherwise(fresh: Project) -> None:
    """Diffusers' pipeline on the copied network makes the images of the study's main sampler; a coloured start, others."""
    network = small_unet()
    network.save_pretrained(fresh.folder / "network/unet")  # type: ignore[operator]
    own = DDPMScheduler(prediction_type="v_prediction", clip_sample=False, variance_type="fixed_large")
    own.save_pretrained(fresh.folder / "network/scheduler")
    study = fresh.study()
    study["denoiser"] = {"source": "path", "path": "network"}
    clipped = {"name": "ddim", "steps": 6, "clip_sample": True}
    study["trajectories"]["samplers"] = [clipped, clipped | {"coloured_start": True}]
    fresh.write(study)
    made = "results/tiny/trajectories/{}/seeds_0-8.zarr.zip"
    fresh.build(made.format("ddim-6-clipped"), made.format("ddim-6-clipped-coloured"))
    pipeline = DDIMPipeline.from_pretrained(fresh.folder / "results/tiny/denoiser")
    generators = [torch.Generator().manual_seed(seed) for seed in range(8)]
    images = pipeline(batch_size=8, generator=generators, num_inference_steps=6, output_type="np").images
    found = artifacts.load(fresh.folder / made.format("ddim-6-clipped"))
    states = found["state"].values[:, -1].clip(-1, 1).transpose(0, 2, 3, 1)
    assert abs(images * 2 - 1 - states).max() <= 1e-5
    assert abs(found["endpoint"].values[:, :-1]).max() <= 1

    coloured = artifacts.load(fresh.folder / made.format("ddim-6-clipped-coloured"))["state"].values
    basis, level = eigenbasis.load(fresh.folder / "results/tiny/eigenbasis.zarr.zip"), trajectories.grid_of(found)[0]
    start = coloured_noise(basis, torch.from_numpy(found["state"].values[:, 0]), level).numpy()
    assert abs(coloured[:, 0] - start).max() <= 1e-6
    assert (abs(coloured - found["state"].values).max((0, 2, 3, 4)) > 1e-3).all()

    study["trajectories"]["samplers"].append({"name": "ddim", "steps": 6})
    fresh.write(study)
    assert fresh.planned(made.format("ddim-6"), made.format("ddim-6-clipped")) == {"sample_trajectories": 1}
    planned = fresh.planned("results/tiny/comparison/ddim-6-clipped/gaussian.zarr.zip")
    assert planned["compare_with_theory"] == 1 and "sample_trajectories" not in planned


def test_a_network_that_ships_serves_a_study_and_one_key_rebuilds_it(copy: Project) -> None:
    """In half precision it is copied as it is; trained again, it is the network that was trained before."""
    weights = "results/tiny/denoiser/unet/diffusion_pytorch_model.safetensors"
    built = copy.artifacts()
    network, _ = denoisers.load_network(copy.folder / "results/tiny/denoiser")
    schedule = DDIMScheduler.from_pretrained(copy.folder / "results/tiny/denoiser/scheduler")
    denoisers.save_pipeline(network.half(), schedule, copy.folder / "networks/tiny")

    study = copy.study()
    study["denoiser"] |= {"source": "reference", "folder": "networks/tiny"}
    copy.write(study)
    copy.build(weights)
    shipped, _ = denoisers.load_network(copy.folder / "results/tiny/denoiser")
    assert all(torch.equal(a, b.float()) for a, b in zip(shipped.parameters(), network.parameters(), strict=True))
    assert copy.planned(weights) == {}
    assert copy.artifacts()[weights] != built[weights]

    copy.build(weights, "--config", "retrain=true")
    assert copy.artifacts()[weights] == built[weights]
