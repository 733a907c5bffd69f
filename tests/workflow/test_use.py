"""Usage records of the tiny study, and what the commands make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.project import Project
from tests.workflow.world import World
from underpainting_workflow.studies import load_study
from underpainting_workflow.usage import efficiency, record
from underpainting_workflow.usage.record import Record, State


@pytest.fixture
def records(built: Project) -> list[Record]:
    return record.read_all(logs=built.folder / "logs")


def test_every_job_has_left_its_record(built: Project, records: list[Record]) -> None:
    logs = {file.with_suffix("") for file in (built.folder / "logs").rglob("*.log")}
    files = [file for file in (built.folder / "logs").rglob("*") if "use" in file.name]
    assert {Path(str(file).removesuffix(record.SUFFIX)) for file in files} == logs
    assert len(records) == len(files) == len(logs)
    assert {one.reported for one in records} == {State.DONE}
    assert all((built.folder / one.job).is_file() for one in records)


def test_jobs_did_what_they_planned(built: Project, records: list[Record]) -> None:
    study, found = load_study(built.file), {one.job: one.work for one in records}
    planned = {one.rule for one in records if one.work.evaluations_planned}
    sampling = {"sample_trajectories", "sample_teleport", "sample_low_nfe", "solve_flow", "solve_jumps"}
    asking = {*sampling, "perturb_trajectories", "explain_score", "measure_early_checkpoints", "measure_shortfall"}
    assert planned == asking == {one.rule for one in records if one.work.calls}
    assert {one.rule for one in records if one.work.steps_planned} == {
        "train_denoiser",
        "train_classifier",
        "train_autoencoder",
    }
    assert all(work.evaluations == (work.evaluations_planned or 0) for work in found.values())
    assert all(work.steps == (work.steps_planned or 0) for work in found.values())
    assert study.trajectories.seeds == 8 and study.teleport.seeds == 24
    assert found["results/tiny/trajectories/heun-4/seeds_0-8.zarr.zip"].evaluations == 8 * 7
    assert found["results/tiny/teleport/ddim-6/skipped_2/samples/seeds_0-24.zarr.zip"].evaluations == 24 * 4


def test_times_are_within_one_another(records: list[Record]) -> None:
    for one in records:
        assert 0 < one.startup_seconds < one.wall_seconds
        assert one.busy_seconds <= one.wall_seconds - one.startup_seconds
        assert one.threads == 1
        assert 1 < one.memory_mb < 4000
    assert 0 < efficiency.occupied_seconds(records) <= sum(one.wall_seconds for one in records)


def test_a_log_closes_with_the_main_figures(built: Project) -> None:
    last = (built.folder / "logs/tiny/score.log").read_text().splitlines()[-1]
    assert "2 network calls, 32 evaluations in" in last


def test_progress_counts_pending_jobs(world: World) -> None:
    place = world.colleague
    place.study({"teleport.kid_subsets": 6})
    plan = place.plan()
    assert plan.runs()
    done, coming = len(plan.jobs) - len(plan.runs()), len(plan.runs())
    printed = place.tool("progress").splitlines()
    assert printed[0] == f"jobs: {done} done, 0 running, 0 failed, 0 lost, {coming} pending"
