"""What is estimated of a study against what the built one holds, and the command as a user types it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from snakemake_provenance.plan import Job, plan
from tests.workflow.project import ROOT, Project
from underpainting.io import artifacts
from underpainting_workflow.studies import Study, costs, load_study

FACTOR = 1.3


@pytest.fixture(scope="module")
def jobs(built: Project) -> list[Job]:
    return plan(options=["--snakefile", str(ROOT / "Snakefile")], folder=built.folder)


@pytest.fixture(scope="module")
def study(built: Project) -> Study:
    return load_study(built.file)


def test_estimated_calls_are_those_in_the_artifacts(built: Project, jobs: list[Job], study: Study) -> None:
    sampled = [job for job in jobs if job.rule == "sample_teleport"]
    assert len(sampled) == 3, "without a jump, after one, and after that of the null model"
    for job in sampled:
        data = artifacts.load(built.folder / job.outputs[0])
        counted = int(data["nfe"]) * data.sizes["sample"]
        assert costs.network_calls(job.rule, study, job.wildcards) == counted


def test_estimated_bytes_are_near_those_on_disk(built: Project, jobs: list[Job], study: Study) -> None:
    checked = 0
    for job in jobs:
        estimated = costs.stored_bytes(job.rule, study, job.wildcards)
        if estimated is not None:
            size = sum((built.folder / path).stat().st_size for path in job.outputs)
            assert 1 / FACTOR < estimated / size < FACTOR, job.outputs
            checked += 1
    assert checked == 21


def test_the_command_tells_what_more_seeds_and_jumps_would_take(copy: Project) -> None:
    (copy.folder / "Snakefile").symlink_to(ROOT / "Snakefile")
    before = copy.file.read_text()
    options = ["--seeds", "72", "--skipped-steps", "0,2,3", "--rate", "100"]
    command = [sys.executable, "-m", "underpainting_workflow", "forecast", "tiny", *options]
    printed = subprocess.run(command, cwd=copy.folder, check=True, capture_output=True, text=True).stdout
    # two of nine shards are there, and one of two of the null model; each image takes 6, 4 or 3 calls
    calls = 72 * (6 + 4 + 3) + 24 * (4 + 3)
    assert re.search(rf"^sample_teleport +8 +11 +{calls - 24 * (6 + 4 + 4):,} +{calls:,} ", printed, re.M), printed
    assert re.search(r"^sample_trajectories +0 +2 +0 +104 ", printed, re.M), printed
    assert "largest job array: 8 jobs of extract_features" in printed
    assert copy.file.read_text() == before


def test_options_that_do_not_fit_are_refused(fresh: Project) -> None:
    (fresh.folder / "Snakefile").symlink_to(Path(ROOT / "Snakefile"))
    command = [sys.executable, "-m", "underpainting_workflow", "forecast", "tiny", "--skipped-steps", "0,9"]
    result = subprocess.run(command, cwd=fresh.folder, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "the options given: teleport.skipped_steps: [9] leave no step" in result.stderr
