"""Denoisers that the workflow does not train."""

from __future__ import annotations

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from tests.workflow.project import Project
from underpainting import denoisers


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
    (copy.folder / "network" / weights).write_bytes(b"others")
    assert copy.planned("results/tiny/denoiser/model_index.json") == {"fetch_denoiser": 1}


def test_a_network_that_ships_serves_a_study_and_one_key_rebuilds_it(fresh: Project) -> None:
    """In half precision it is copied as it is; trained anew, it is the network that was trained before."""
    weights = "results/tiny/denoiser/unet/diffusion_pytorch_model.safetensors"
    fresh.build(weights)
    built = fresh.artifacts()
    network, _ = denoisers.load_network(fresh.folder / "results/tiny/denoiser")
    schedule = DDIMScheduler.from_pretrained(fresh.folder / "results/tiny/denoiser/scheduler")
    denoisers.save_pipeline(network.half(), schedule, fresh.folder / "networks/tiny")

    study = fresh.study()
    study["denoiser"] |= {"source": "reference", "folder": "networks/tiny"}
    fresh.write(study)
    fresh.build(weights)
    shipped, _ = denoisers.load_network(fresh.folder / "results/tiny/denoiser")
    assert all(torch.equal(a, b.float()) for a, b in zip(shipped.parameters(), network.parameters(), strict=True))
    assert fresh.planned(weights) == {}
    assert fresh.artifacts()[weights] != built[weights]

    fresh.build(weights, "--config", "retrain=true")
    assert fresh.artifacts()[weights] == built[weights]
