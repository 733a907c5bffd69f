"""Snakemake's plan as data: what jobs ask for, and plans of a project that is a little different."""

from __future__ import annotations

from pathlib import Path

import pytest

from snakemake_provenance.plan import plan
from snakemake_provenance.variant import variant

WORKFLOW = """
from snakemake_provenance import records
configfile: "config/count.yaml"
records.export_plan(workflow)
rule all:
    input: expand("results/{n}.txt", n=range(config["count"]))
rule part:
    output: "results/{n}.txt"
    threads: 64
    resources: mem_mb=lambda wildcards, attempt: 100 * attempt + int(wildcards.n), runtime=7, place="here"
    shell: "touch {output}"
"""


@pytest.mark.slow
def test_jobs_tell_what_they_ask_for_in_the_project_and_in_a_variant(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "config" / "count.yaml").write_text("count: 2")
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    (tmp_path / "results" / "1.txt").touch()
    first, second = sorted(plan(folder=tmp_path), key=lambda job: job.wildcards["n"])
    assert (first.threads, first.resources["mem_mb"], first.resources["runtime"]) == (64, 100, 7)
    assert (first.runs, second.runs, second.resources["mem_mb"]) == (True, False, 101)
    assert "place" not in first.resources
    with variant(Path("config/count.yaml"), "count: 3", tmp_path) as folder:
        assert [job.runs for job in sorted(plan(folder=folder), key=lambda job: job.wildcards["n"])] == [
            True,
            False,
            True,
        ]
    assert (tmp_path / "config" / "count.yaml").read_text() == "count: 2"
    assert (tmp_path / "results" / "1.txt").is_file() and not folder.exists()
