"""The workflow as a module of another repository, and through the file that the Snakemake workflow catalog looks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from tests.workflow.project import ROOT, Project

OTHER = f"""
configfile: "config/config.yaml"


module underpainting:
    snakefile:
        "{ROOT}/workflow/Snakefile"
    config:
        config


use rule * from underpainting


rule summary:
    input:
        "results/tiny/claims.csv",
    output:
        "summary.csv",
    shell:
        "cp {{input}} {{output}}"
"""


def planned(folder: Path, *arguments: str) -> dict[str, int]:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", *arguments]
    text = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    return {rule: int(count) for rule, count in re.findall(r"^([a-z_0-9]+) {2,}(\d+)$", text, re.M) if rule != "total"}


def test_another_repository_uses_the_workflow_as_a_module(fresh: Project) -> None:
    expected = fresh.planned()
    (fresh.folder / "Snakefile").write_text(OTHER)
    assert planned(fresh.folder) == expected
    own = planned(fresh.folder, "--", "summary.csv")
    assert own["summary"] == own["tabulate_claims"] == 1 and "render_page" not in own


def test_the_catalog_finds_the_workflow_where_it_looks(fresh: Project) -> None:
    assert planned(fresh.folder, "--snakefile", str(ROOT / "workflow/Snakefile")) == fresh.planned()
    entry = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text("utf-8"))["usage"]
    assert entry["report"] and set(entry["software-stack-deployment"]) == {"conda", "apptainer", "singularity"}
