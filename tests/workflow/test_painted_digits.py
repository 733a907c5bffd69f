"""A text-to-image model trained by the workflow, on scikit-learn's digits."""

from __future__ import annotations

import shutil
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from tests.workflow.project import Project
from underpainting.denoisers.latent_model import LatentModel
from underpainting.io import artifacts
from underpainting.quality import attributes

PAINTED: dict[str, Any] = {
    "kind": "text_to_image",
    "title": "Painted",
    "dataset": {
        "source": "painted_digits",
        "digits": "sklearn",
        "limit": 200,
        "left_out": [{"digit": "seven", "colour": "green"}],
    },
    "denoiser": {
        "source": "train",
        "vae": {"steps": 3, "batch_size": 4, "block_out_channels": [4, 4, 8]},
        "training": {"steps": 3, "batch_size": 4, "block_out_channels": [8, 16], "text_width": 16},
    },
    "attributes": {"epochs": 1, "width": 4, "features": 8},
    "prompts": ["a red three", "a five on blue"],
    "trajectories": {"samplers": [{"name": "ddim", "steps": 4}], "guidance": [1, 3], "seeds": 2},
}
INDEX = "results/tiny/model/model_index.json"


def test_the_workflow_trains_a_model_that_diffusers_reads(fresh: Project) -> None:
    """Images left out are marked; the classifier is trained; copied as a shipped model, it has the same bytes."""
    fresh.write(PAINTED)
    fresh.build(INDEX, "results/tiny/attributes.safetensors", "results/tiny/trajectories/ddim-4/g3.zarr.zip")
    data = artifacts.load(fresh.folder / "results/tiny/dataset.zarr.zip")
    green_sevens = (data["attributes"].values[:, 0] == 7) & (data["attributes"].values[:, 1] == 3)
    assert green_sevens.any() and (data["left_out"].values == green_sevens).all()
    trained = attributes.load(fresh.folder / "results/tiny/attributes.safetensors")
    assert list(trained.accuracy) == ["digit", "colour", "ground", "thickness", "slant"]

    folder = fresh.folder / "results/tiny/model"
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    model = LatentModel.load(folder)
    latents = torch.randn(1, *model.latent_shape, generator=torch.Generator().manual_seed(0))
    decoded = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
    assert torch.allclose(model.decode(latents), decoded, atol=1e-5)
    assert torch.allclose(
        model.embed(["a red three"]), pipe.encode_prompt("a red three", "cpu", 1, False)[0], atol=1e-5
    )
    assert fresh.planned(INDEX) == {}

    before = {file: digest for file, digest in fresh.artifacts().items() if "/model/" in file}
    shutil.copytree(folder, fresh.folder / "shipped")
    fresh.write({**PAINTED, "denoiser": {**PAINTED["denoiser"], "source": "reference", "folder": "shipped"}})
    assert fresh.planned(INDEX) == {"fetch_latent_model": 1}
    fresh.build(INDEX)
    weights = {file for file in before if file.endswith(".safetensors")}
    assert weights and all(fresh.artifacts()[file] == before[file] for file in weights)


def test_a_model_of_this_workflow_needs_images_with_captions(fresh: Project) -> None:
    fresh.write({key: value for key, value in PAINTED.items() if key != "dataset"})
    result = fresh.run("--dry-run")
    assert result.returncode and "trained on painted digits" in result.stdout
    missing = {"source": "painted_digits", "root": "nowhere"}
    fresh.write({**PAINTED, "dataset": missing})
    result = fresh.run("--dry-run")
    assert result.returncode and "dataset.root" in result.stdout and "nowhere/MNIST/raw" in result.stdout
