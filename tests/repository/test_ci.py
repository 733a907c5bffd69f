"""The public CI does what .ci/run does, and keeps a file that the workflow writes."""

from __future__ import annotations

from pathlib import Path

import yaml

from underpainting_workflow.studies import files, load_study

ROOT = Path(__file__).resolve().parents[2]
STEPS = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["ci"]["steps"]


def test_the_public_ci_runs_the_ci_script() -> None:
    assert "bash .ci/run" in [step.get("run") for step in STEPS]


def test_the_public_ci_keeps_the_reports_of_the_default_studies() -> None:
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))["studies"]
    studies = {name: load_study(ROOT / f"config/studies/{name}.yaml") for name in default}
    reports = [file for name, study in studies.items() for file in files.products.report(name, study)]
    uploads = [step["with"]["path"] for step in STEPS if step.get("uses", "").startswith("actions/upload-artifact")]
    assert [path.split() for path in uploads] == [reports]
