"""A text-to-image study of a tiny random latent model, run by Snakemake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline

from tests.helpers.latents import change_json, save_latent_model
from tests.workflow.conftest import once
from tests.workflow.project import Project
from underpainting.io import artifacts
from underpainting.samplers.randomness import initial_noise

WORDS: dict[str, Any] = {
    "kind": "text_to_image",
    "title": "Words",
    "denoiser": {"source": "path", "path": "model"},
    "prompts": ["one red", "on"],
    "trajectories": {
        "samplers": [{"name": "pndm", "steps": 6}, {"name": "ddim", "steps": 6}],
        "guidance": [1, 7.5],
        "seeds": 2,
    },
    "figures": {"dpi": 60},
}
MAIN = "results/tiny/trajectories/pndm-6/g7.5.zarr.zip"


def make(folder: Path) -> Project:
    project = Project.make(folder)
    save_latent_model(folder / "model")
    project.write(WORDS)
    return project


@pytest.fixture(scope="session")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study with its trajectories; for reading only."""
    return Project(once(tmp_path_factory, "words", lambda folder: make(folder).build("trajectories")))


@pytest.fixture
def words(sampled: Project, tmp_path: Path) -> Project:
    """A copy of the study with its trajectories, file times and Snakemake's records included, to be changed at will."""
    shutil.copytree(sampled.folder, tmp_path / "project", copy_function=shutil.copy2, symlinks=True)
    return Project(tmp_path / "project")


def test_trajectories_end_at_the_images_of_diffusers(words: Project) -> None:
    """The same latents, prompts and guidance give StableDiffusionPipeline's latents, taken to the end of the path.

    Stable Diffusion's own setting ends one time before (`set_alpha_to_one`); nothing is left to do.
    """
    found = artifacts.load(words.folder / MAIN)
    assert found["prompt"].values.tolist() == [0, 0, 1, 1] and found["seed"].values.tolist() == [100, 101] * 2
    pipe = StableDiffusionPipeline.from_pretrained(words.folder / "results/tiny/model")
    pipe.scheduler = PNDMScheduler.from_config(pipe.scheduler.config, set_alpha_to_one=True)
    pipe.set_progress_bar_config(disable=True)
    latents = initial_noise([100, 101, 100, 101], (4, 8, 8))
    made = pipe(
        ["one red", "one red", "on", "on"],
        latents=latents,
        guidance_scale=7.5,
        num_inference_steps=6,
        output_type="latent",
    ).images
    assert torch.allclose(made, torch.from_numpy(found["state"].values[:, -1]), rtol=1e-4, atol=1e-3)  # values up to 30
    assert words.planned("trajectories") == {}


def test_only_what_a_change_concerns_runs_again(words: Project) -> None:
    content = {**WORDS, "trajectories": {**WORDS["trajectories"], "guidance": [1, 3, 7.5]}}
    words.write(content)
    assert words.planned("trajectories")["sample_latent_trajectories"] == 2
    words.write({**WORDS, "figures": {"dpi": 70}})
    assert words.planned("trajectories") == {}
    words.write({**WORDS, "prompts": ["one red", "one"]})
    assert words.planned("trajectories")["sample_latent_trajectories"] == 4


def test_geometry_is_measured_as_in_studies_of_images(words: Project) -> None:
    words.build("results/tiny/geometry/pndm-6/g1.zarr.zip")
    found = artifacts.load(words.folder / "results/tiny/geometry/pndm-6/g1.zarr.zip")
    assert found.sizes["sample"] == 4 and np.all(found["plane"].values >= 0)


def test_an_unusable_model_is_refused_before_any_job(tmp_path: Path) -> None:
    project = make(tmp_path / "project")
    change_json(project.folder / "model/unet/config.json", in_channels=9)
    result = project.run("--dry-run")
    assert result.returncode and "one for inpainting" in result.stdout and "denoiser.path" in result.stdout
    change_json(project.folder / "model/unet/config.json", in_channels=4)
    project.write({**WORDS, "prompts": ["red " * 20]})
    result = project.run("--dry-run")
    assert result.returncode and "tokens, the text encoder knows 12" in result.stdout and "prompts" in result.stdout


def test_every_figure_and_claim_is_made(words: Project) -> None:
    words.build()
    names = {file.stem for file in (words.folder / "results/tiny/figures").iterdir()}
    assert {name.partition("_")[0] for name in names} >= {
        f"fig{number}" for number in ("01", "05", 18, 19, 20, 21, 22, 23, 24, 27)
    }
    claims = pd.read_csv(words.folder / "results/tiny/latent_claims.csv")
    assert (claims["n"] == 4).all() and claims["estimate"].notna().all()
    rows = pd.read_csv(words.folder / "results/tiny/geometry.csv")
    assert rows["sampler"].tolist() == [
        f"{name}-6, guidance {scale}" for name in ("pndm", "ddim") for scale in (1, 7.5)
    ]
    findings = json.loads((words.folder / "results/tiny/findings.json").read_text("utf-8"))
    assert [finding["figure"] for finding in findings] == ["fig24_guidance", "fig22_responses"]
    page = (words.folder / "results/tiny/report.html").read_text("utf-8")
    assert all(finding["title"] in page for finding in findings) and "does not know the prompt" in page
    assert words.planned() == {}
