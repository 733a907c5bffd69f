"""Skips, or budgets, that share a job: one start of the network, the same files and bytes, and nothing that runs again for it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import yaml

from tests.workflow.project import Project

BEHIND = (
    "solve_jumps",
    "tabulate_teleport",
    "tabulate_budget",
    "plan_teleport",
    "figure_hybrid",
    "figure_fidelity",
    "figure_skipping",
    "figure_budget",
    "figure_budget_skips",
    "figure_budget_samples",
    "collect_metrics",
    "tabulate_claims",
    "tabulate_findings",
    "render_report",
)


def samples(skip: int) -> str:
    return f"results/tiny/teleport/ddim-6/skip_{skip}/samples/seeds_0-24.zarr.zip"


def features(steps: int) -> str:
    return f"results/tiny/budget/unipc-{steps}/gaussian/seeds_0-24.zarr.zip"


def choose(project: Project, skips: list[Any]) -> None:
    study = project.study()
    study["teleport"]["skips"] = skips
    project.write(study)


def choose_budgets(project: Project, budgets: list[Any]) -> None:
    study = project.study()
    study["budget"]["nfe"] = budgets
    project.write(study)


def why(project: Project, path: str) -> str:
    command = [sys.executable, "-m", "underpainting_workflow", "why", path]
    told = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)
    return told.stdout + told.stderr


def test_skips_in_one_job_give_the_bytes_of_each_alone_and_can_be_parted_again(copy: Project) -> None:
    choose(copy, [0, 2, [3, 4]])
    log = copy.build(samples(3))
    assert "skip_3-4/samples_0-24.log" in log, "one job made both"
    together = copy.artifacts()

    facts = (copy.folder / "workflow/provenance/tiny.jsonl").read_text(encoding="utf-8").splitlines()
    told = {entry["path"]: entry for entry in map(json.loads, facts) if "path" in entry}
    assert told[samples(3)]["sha256"] == together[samples(3)]
    assert told[samples(3)]["inputs"] == told[samples(2)]["inputs"]

    choose(copy, [0, 2, 3, 4])
    assert copy.planned(samples(3), samples(4)) == {}, "a job of its own needs nothing new"
    (copy.folder / samples(4)).unlink()
    copy.build(samples(4))
    assert copy.artifacts()[samples(4)] == together[samples(4)]

    choose(copy, [0, [2, 3]])
    planned = copy.planned()
    assert {rule for rule in planned if rule.startswith("sample_")} == {"sample_null_2_3"}, (
        "of the null model there is no skip 3"
    )
    assert planned["extract_features"] == planned["measure_fidelity"] == 3, "skip 3, and both of the null model's job"


def test_a_skip_that_leaves_a_group_changes_the_table_and_what_shows_it_alone(copy: Project) -> None:
    choose(copy, [[0, 2]])
    assert copy.planned() == {}
    choose(copy, [[0]])
    assert copy.planned() == dict.fromkeys((*BEHIND, "all"), 1)


def test_a_study_may_hold_a_skip_that_is_alone_in_another(copy: Project) -> None:
    choose(copy, [[0, 2]])
    study = copy.study()
    study["teleport"]["skips"] = [0, 2]
    copy.file.with_name("other.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    planned = copy.planned("--config", "studies=tiny,other", "--", "teleport")
    assert planned["sample_teleport"] == 2
    assert "sample_teleport_0_2" not in planned


def test_budgets_in_one_job_give_the_bytes_of_each_alone_and_can_be_parted_again(copy: Project) -> None:
    alone = copy.artifacts()
    choose_budgets(copy, [[2, 3]])
    log = copy.build(features(3))
    assert "unipc-2-3/gaussian_0-24.log" in log, "one job made both"
    together = copy.artifacts()
    assert together[features(2)] == alone[features(2)]

    choose_budgets(copy, [2, 3])
    assert copy.planned(features(2), features(3)) == {}, "a job of its own needs nothing new"
    (copy.folder / features(3)).unlink()
    copy.build(features(3))
    assert copy.artifacts()[features(3)] == together[features(3)]
