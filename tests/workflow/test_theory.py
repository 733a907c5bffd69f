"""What the tiny study says about the theory, and which jobs a change of it starts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.workflow.project import Project
from underpainting.analysis.trajectory_errors import final_error
from underpainting.io import artifacts
from underpainting_workflow.claims import Claim
from underpainting_workflow.claims.claim import PROJECT_TARGET

MODELS = ("gaussian", "mixture", "point_cloud")


def test_the_claims_are_at_least_twenty_rows_with_the_promised_columns(built: Project) -> None:
    table = pd.read_csv(built.folder / "results/tiny/claims.csv")
    assert tuple(table.columns) == Claim._fields
    assert len(table) >= 20
    assert set(table["reproduced"]) <= {"yes", "no", "undecided", "trivial"}
    of_paper = table[(table["source"] != PROJECT_TARGET) & ~table["source"].str.startswith("Sec. 6.1")]
    assert of_paper["null"].notna().all() and of_paper["null_model"].notna().all()
    assert (of_paper["null_low"] <= of_paper["null_high"]).all()
    with_interval = table.dropna(subset=["low"])
    assert (with_interval["low"] <= with_interval["high"]).all()


def test_theories_start_where_the_sampler_starts_and_are_compared_with_it(built: Project) -> None:
    shard = artifacts.load(built.folder / "results/tiny/trajectories/ddim-6/seeds_0-8.zarr.zip")
    for model in MODELS:
        data = artifacts.load(built.folder / f"results/tiny/comparison/ddim-6/{model}.zarr.zip")
        assert (data["state_error"].values[:, 0] == 0).all()
        error = np.square(data["image"].values - shard["state"].values[:, -1]).reshape(8, -1).mean(1)
        assert data["state_error"].values[:, -1] == pytest.approx(error, rel=1e-5)


def test_the_exact_score_ends_at_training_images(built: Project) -> None:
    data = artifacts.load(built.folder / "results/tiny/retrieval/ddim-6.zarr.zip")
    place = data.attrs["origins"].index("point_cloud")
    assert data["distance"].values[place].max() < 0.02
    assert data["distance"].values[data.attrs["origins"].index("network")].min() > 0.1


def test_the_paired_differences_are_those_of_the_artifacts(built: Project) -> None:
    table = pd.read_csv(built.folder / "results/tiny/models.csv").set_index("quantity")
    errors = {
        model: final_error(artifacts.load(built.folder / f"results/tiny/comparison/ddim-6/{model}.zarr.zip"))
        for model in MODELS
    }
    row = table.loc["error: Gaussian minus point cloud"]
    assert row["estimate"] == pytest.approx((errors["gaussian"] - errors["point_cloud"]).mean())
    assert row["low"] <= row["estimate"] <= row["high"]


def test_the_classes_are_the_modes(built: Project) -> None:
    mixture = artifacts.load(built.folder / "results/tiny/mixture.zarr.zip")
    data = artifacts.load(built.folder / "results/tiny/dataset.zarr.zip")
    assert (mixture["label"].values == data["label"].values).all()
    assert mixture.sizes["mode"] == 10


def test_table_2_holds_the_study_and_the_papers_rows(copy: Project) -> None:
    copy.build("results/table2.csv")
    table = pd.read_csv(copy.folder / "results/table2.csv")
    assert set(table["study"]) > {"tiny", "ddpm-mnist (paper)", "ddpm-celebahq-256 (paper)"}
    assert table.loc[table["study"] == "ddpm-mnist (paper)", "residual_rotation_caption"].item() == 0.017


def test_early_checkpoints_get_closer_to_the_trained_one(built: Project) -> None:
    table = pd.read_csv(built.folder / "results/tiny/early_checkpoints/ddim-6.csv")
    assert table["training_step"].unique().tolist() == [2, 4, 6]
    assert table[(table["training_step"] == 6) & (table["skipped_steps"] == 0)]["error"].item() == 0


def test_another_strength_perturbs_again_and_nothing_else(copy: Project) -> None:
    study = copy.study()
    study["perturbation"]["strength"] = 0.25
    copy.write(study)
    planned = set(copy.planned("all"))
    assert planned == {
        "perturb_trajectories",
        "figure_perturbation",
        "tabulate_claims",
        "render_report",
        "render_page",
        "all",
    }


def test_another_mixture_leaves_the_gaussian_and_the_point_cloud(copy: Project) -> None:
    study = copy.study()
    study["mixture"] = {"fit": "kmeans", "modes": 3}
    copy.write(study)
    planned = copy.planned("all")
    assert planned["fit_mixture"] == 1
    assert planned["compare_with_theory"] == 1
    assert "train_denoiser" not in planned
    assert "sample_teleport" not in planned


def test_clusters_stand_in_for_labels(copy: Project) -> None:
    study = copy.study()
    study["mixture"] = {"fit": "kmeans", "modes": 3}
    study["teleport"]["extractor"]["labels"] = "mixture"
    copy.write(study)
    copy.build("results/tiny/classifier.safetensors")
    assert "accuracy on images held out" in (copy.folder / "logs/tiny/classifier.log").read_text()
