"""The tiny study from data to report, through Snakemake itself."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pandas as pd
import pytest

from tests.workflow.project import ROOT, Project
from underpainting.io import artifacts
from underpainting_workflow import figures
from underpainting_workflow.studies import files, load_study


def metrics(project: Project) -> dict[str, object]:
    content: dict[str, object] = json.loads((project.folder / "results/tiny/metrics.json").read_text())
    return content


def test_every_promised_file_is_there(built: Project) -> None:
    study = load_study(built.file)
    promised = [
        *files.products.tables("tiny", study),
        *figures.files("tiny", study),
        "results/tiny/report.html",
    ]
    missing = [file for file in promised if not (built.folder / file).stat().st_size]
    assert not missing


def test_metrics_have_the_names_that_others_rely_on(built: Project) -> None:
    content = metrics(built)
    assert len(content["gaussian_mse"]) == 7  # type: ignore[arg-type]
    assert content["gaussian_mse"][0] == 0  # type: ignore[index]
    assert set(content["dim_999"]) == {"states", "differences", "noise_predictions"}  # type: ignore[call-overload]
    assert all(0 <= content[f"residual_{name}"] <= 1 for name in ("top2", "plane", "rotation"))  # type: ignore[operator]
    rows = content["teleport"]
    assert [row["skipped_steps"] for row in rows] == [0, 2]  # type: ignore[attr-defined]
    assert [row["nfe"] for row in rows] == [6, 4]  # type: ignore[attr-defined]
    place, sets = ("sampler", "jump", "skipped_steps", "nfe", "sigma", "alpha"), ("fd", "fd_infinite")
    measures = (*sets, "floor", "floor_infinite", "kid", *(f"autoencoder_{name}" for name in sets), "rmse_to_network")
    assert all(set(row) == {*place, *measures} for row in rows)  # type: ignore[attr-defined]


def test_the_table_repeats_the_metrics(built: Project) -> None:
    table = pd.read_csv(built.folder / "results/tiny/teleport.csv").query(
        "design == 'truncate' and jump != 'isotropic'"
    )
    assert table["fd"].tolist() == [row["fd"] for row in metrics(built)["teleport"]]  # type: ignore[attr-defined]
    assert (table["extractor"] == "classifier").all()


def test_few_calls_are_swept_on_every_grid_and_by_the_relative_sampler_on_its_own(built: Project) -> None:
    rows = pd.read_csv(built.folder / "results/tiny/teleport.csv").query("design == 'regrid'")
    first = {("unipc-2", "time"), ("relative-2", "covariance")}
    jumps = {("gaussian", 50), ("gaussian", 80), ("mixture", 80), ("isotropic", 50)}
    assert set(rows[["sampler", "grid", "jump", "skipped_percent"]].itertuples(index=False, name=None)) == {
        *((*run, *start) for run in first for start in {("none", 0), *jumps}),
        ("unipc-2", "karras", "none", 0),
    }
    assert len(rows) == 11 and (rows["nfe"] == 2).all()
    assert rows[["fd_infinite", "loss", "network_loss", "sigma"]].notna().all(axis=None)
    starting = rows.groupby(["jump", "skipped_percent"])["sigma"]
    assert (starting.max() - starting.min()).max() < 1e-9, "all start where the jump ends"
    assert rows.query("sampler == 'unipc-2' and jump == 'none'")["loss"].min() == 0
    distances = rows.query("jump == 'none'")["fd_infinite"]
    assert distances.nunique() == len(distances), "each grid has images of its own"
    plans = pd.read_csv(built.folder / "results/tiny/plan.csv").query("design == 'regrid'")
    assert set(plans[["sampler", "grid"]].itertuples(index=False, name=None)) == first
    assert (plans.query("sampler == 'relative-2'")["step_loss"] == 0).all()


def test_the_page_of_sweeps_compares_the_relative_sampler_with_the_best_other(
    built: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "workflow")
    page = importlib.import_module("few_calls")
    table = pd.read_csv(built.folder / "results/tiny/teleport.csv")
    (row,) = page.compare(page.Built("tiny", load_study(built.file), table, built.folder))
    rows = table.query("design == 'regrid'").assign(FD=table[["fd_infinite", "floor_infinite"]].max(axis=1))
    (mine,) = rows.query("sampler == 'relative-2' and jump == 'none'").to_dict("records")
    others = rows.query("sampler == 'unipc-2'")
    for heading, column in {"RMSE": "rmse_to_network", "FD": "FD"}.items():
        best = others.loc[others[column].idxmin()]
        assert row[f"best other by {heading}"].startswith(f"unipc, {best['grid']}")
        assert row[heading] == f"{best[column]:.3g}" and row[f"{heading}, relative"] == f"{mine[column]:.3g}"
        change = row[f"change of {heading}"].strip("*").split(" ")[0]
        assert change == f"{mine[column] / best[column] - 1:+.0%}", "from the images of both runs, as the table"


def test_a_frechet_distance_of_a_classifier_is_never_called_fid(built: Project) -> None:
    page = (built.folder / "results/tiny/tables/teleport.html").read_text()
    assert "FD (classifier)" in page
    assert "FID" not in page


def test_the_report_holds_every_figure_and_table(built: Project) -> None:
    report = (built.folder / "results/tiny/report.html").read_text()
    study = load_study(built.file)
    shown = [file for file in figures.files("tiny", study) if file.endswith(".png")]
    shown += [file for file in files.products.tables("tiny", study) if file.endswith(".html")]
    assert not [file for file in shown if file not in report]


def test_the_report_asks_the_network_for_nothing(built: Project) -> None:
    report = (built.folder / "results/tiny/report.html").read_text()
    for tag in ('<script src="http', '<link rel="stylesheet" href="http', '<img src="http', "@import url(http"):
        assert tag not in report


def test_images_are_stored_in_the_range_of_the_library(built: Project) -> None:
    images = artifacts.load(built.folder / "results/tiny/dataset.zarr.zip")["images"]
    assert images.attrs["range"] == [-1.0, 1.0]
    assert images.attrs["units"] == "1"
    assert images.min() == -1
    assert images.max() == 1


@pytest.mark.parametrize(
    "file", ["moments", "eigenbasis", "trajectories/ddim-6/seeds_0-8", "comparison/ddim-6/gaussian", "mixture", "score"]
)
def test_every_array_says_where_it_came_from(built: Project, file: str) -> None:
    origin = artifacts.provenance(artifacts.load(built.folder / f"results/tiny/{file}.zarr.zip"))
    assert origin["study"] == "tiny"
    assert {"torch", "diffusers", "zarr"} <= set(origin["versions"])


def test_the_denoiser_opens_as_a_diffusers_pipeline(built: Project) -> None:
    from diffusers import DDIMPipeline

    pipeline = DDIMPipeline.from_pretrained(built.folder / "results/tiny/denoiser")
    assert pipeline.unet.config["sample_size"] == 8
    assert pipeline.scheduler.config["prediction_type"] == "v_prediction"


def test_jobs_leave_logs_and_job_files_but_no_scratch(built: Project) -> None:
    logs = {str(file.with_suffix("")) for file in (built.folder / "logs/tiny").rglob("*.log")}
    jobs = {str(file).removesuffix(".job.json") for file in (built.folder / "logs/tiny").rglob("*.job.json")}
    assert logs
    assert logs == jobs
    scratch = [
        file
        for file in (built.folder / "results").rglob("*")
        if file.name.startswith(".") or file.name.endswith("checkpoint.safetensors")
    ]
    assert not scratch


def test_no_path_of_the_machine_is_in_an_artifact(built: Project) -> None:
    home = str(built.folder).encode()
    holding = [
        file for file in (built.folder / "results/tiny").rglob("*") if file.is_file() and home in file.read_bytes()
    ]
    assert not holding


def test_the_example_of_the_library_runs(built: Project) -> None:
    blocks = (ROOT / "docs/pipeline.md").read_text(encoding="utf-8").split("```python\n")[1:]
    example = next(block for block in blocks if "VariancePreserving" in block).split("```")[0]
    example = example.replace("results/digits", "results/tiny")
    example += "\nassert images.shape == (4, 1, 8, 8)\nassert images.isfinite().all()\n"
    subprocess.run([sys.executable, "-c", example], cwd=built.folder, check=True)
