"""Trainings with and without a Gaussian: pairs by hand, and the scripts from a training to the table."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tests.helpers.networks import SMALL
from tests.underpainting.denoisers.test_residual import SCHEDULE, basis_of_digits, digits
from underpainting import denoisers
from underpainting.basis import eigenbasis
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.quality import classifier, extractors, fidelity, frechet, held_out
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample
from underpainting.training.trainer import Recipe, held_out_loss
from underpainting_workflow import equal_training_steps
from underpainting_workflow.runner import Job

SCRIPTS = Path(__file__).parents[2] / "scripts"


def row(form: str, seed: int, fd: float, steps: int = 100) -> dict[str, Any]:
    return {"form": form, "seed": seed, "steps": steps, "fd": fd, "floor": 0.5, "loss": 0.1 * fd}


def test_ratios_compare_the_same_seed_and_low_nfe() -> None:
    rows = [row("none", 0, 8.0), row("none", 1, 2.0), row("velocity", 1, 4.0), row("velocity", 0, 1.0)]
    found = equal_training_steps.summary(pd.DataFrame([*rows, row("velocity", 0, 9.0, 200)])).set_index(
        ["form", "steps"]
    )
    ahead = found.loc[("velocity", 100)]
    assert (ahead["fd"], ahead["fd_min"], ahead["fd_max"], ahead["trainings"]) == (2.5, 1.0, 4.0, 2)
    assert ahead["floor"] == 0.5
    assert ahead["ratio"] == pytest.approx(0.5)  # the root of 1/8 times 2
    assert (ahead["ratio_min"], ahead["ratio_max"]) == (0.125, 2.0)
    assert found.loc[("none", 100), "ratio"] == 1.0
    assert np.isnan(found.loc[("velocity", 200), "ratio"])


def test_the_held_out_loss_is_the_objective_s_at_draws_that_no_seed_trains_on() -> None:
    class Zero(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.zero = torch.nn.Parameter(torch.zeros(()))

        def forward(self, noisy: torch.Tensor, _: torch.Tensor) -> Any:
            return type("Out", (), {"sample": self.zero * noisy})

    images = digits()
    recipe = Recipe(steps=1, batch_size=64, prediction_type="v_prediction")
    found = held_out_loss(Zero(), images, SCHEDULE, recipe)
    clean = images.double() / 127.5 - 1
    power = SCHEDULE.alphas_cumprod.double()
    expected = (power + (1 - power) * clean.square().mean()).mean()  # of v = alpha eps - sigma x_0
    assert found == pytest.approx(float(expected), rel=0.02)
    other = Recipe(steps=1, batch_size=64, prediction_type="v_prediction", seed=5)
    assert held_out_loss(Zero(), images, SCHEDULE, other) == found


JOB = Job("train_form", {}, {}, [], [], {"study": "tiny"}, {}, "train_denoiser 0", {}, 1, "logs/train.log")


@pytest.fixture
def made(tmp_path: Path) -> dict[str, list[str]]:
    """A data set, its classifier's features, and a network of each of two training lengths, from the scripts that make them."""
    images = digits()[:300]
    data = artifacts.image_array(images.float().numpy() / 127.5 - 1, ("sample", *artifacts.IMAGE_DIMS), "images")
    artifacts.save(xr.Dataset({"images": data}), tmp_path / "dataset.zarr.zip", {})
    eigenbasis.save(basis_of_digits(), tmp_path / "eigenbasis.zarr.zip")
    torch.manual_seed(0)
    shape = classifier.ClassifierShape(1, 10, 8, 6)
    held = held_out.held_out_indices(300)
    trained = classifier.train(images, torch.arange(300) % 10, torch.from_numpy(held), shape, epochs=1, seed=0)
    classifier.save(trained, tmp_path / "classifier.safetensors")
    extractor = extractors.make_extractor("classifier", str(tmp_path / "classifier.safetensors"))
    found = fidelity.extract_features(extractor, images[held])
    real = {
        "features": artifacts.array(found, ("sample", "feature"), "features"),
        "autoencoder_features": artifacts.array(found, ("sample", "autoencoder_feature"), "features"),
        "held_out": artifacts.array(np.ones(len(held), bool), "sample", "whether no features were learned from it"),
    }
    artifacts.save(xr.Dataset(real, attrs={"trained_here": True}), tmp_path / "real.zarr.zip", {})
    train = runpy.run_path(str(SCRIPTS / "train_denoiser.py"))["main"]
    for steps in (2, 3):
        recipe = {"steps": steps, "batch_size": 8, "prediction_type": "v_prediction", "seed": 1, "residual": "velocity"}
        config = {"training": recipe, "architecture": SMALL}
        folder = tmp_path / str(steps)
        folder.mkdir()
        outputs = {name: str(folder / name) for name in ("index", "schedule", "losses", "snapshots")}
        outputs |= {"schedule": str(folder / "schedule.zarr.zip"), "losses": str(folder / "losses.zarr.zip")}
        sources = {name: str(tmp_path / f"{name}.zarr.zip") for name in ("dataset", "eigenbasis")}
        train(sources, outputs, "tiny", config, "cpu", 30.0, JOB)
    return {
        "index": [str(tmp_path / str(steps) / "index") for steps in (2, 3)],
        "dataset": [str(tmp_path / "dataset.zarr.zip")],
        "real": [str(tmp_path / "real.zarr.zip")],
        "extractor": [str(tmp_path / "classifier.safetensors")],
    }


def test_networks_are_measured_one_by_one(made: dict[str, list[str]], tmp_path: Path) -> None:
    recipe = {"steps": 1, "batch_size": 16, "prediction_type": "v_prediction"}
    config = {
        "training": recipe,
        "training_steps": [2, 3],
        "images": 40,
        "sampler": {"name": "ddim", "steps": 3},
        "first_seed": 10,
        "batch_size": 16,
        "resamples": 20,
        "extractor": "classifier",
    }
    measure = runpy.run_path(str(SCRIPTS / "measure_residual.py"))["main"]
    measure(made, str(tmp_path / "rows.json"), "velocity", 1, config, Compute("cpu"))
    rows = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert [(found["form"], found["seed"], found["steps"], found["n"]) for found in rows] == [
        ("velocity", 1, steps, 40) for steps in (2, 3)
    ]
    assert all(found["fd_low"] < found["fd"] < found["fd_high"] for found in rows)
    denoiser, schedule = denoisers.load_denoiser(Path(made["index"][1]).parent, Compute("cpu"))
    with torch.inference_mode():
        images = sample(Sampler("ddim", 3, schedule), denoiser, initial_noise(range(10, 50), (1, 8, 8)))
    extractor = extractors.make_extractor("classifier", made["extractor"][0])
    features = fidelity.extract_features(extractor, fidelity.to_bytes(images))
    real = artifacts.load(made["real"][0])["features"].values
    assert rows[1]["fd"] == pytest.approx(fidelity.frechet_distance(features, real), rel=1e-5)
    assert rows[0]["floor"] == rows[1]["floor"] == frechet.estimate_floor(real, 40).at_n
    tabulate = runpy.run_path(str(SCRIPTS / "tabulate_residual.py"))["main"]
    tabulate([str(tmp_path / "rows.json")], str(tmp_path / "t.csv"), str(tmp_path / "t.html"), "classifier")
    table = pd.read_csv(tmp_path / "t.csv")
    assert list(table) == ["form", "seed", "steps", "fd", "fd_low", "fd_high", "floor", "loss", "n"]
    assert table["fd"].tolist() == [found["fd"] for found in rows]
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert "FD (classifier)" in page
    assert "FID" not in page
