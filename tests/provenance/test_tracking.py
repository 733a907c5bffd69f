"""What `track` records of rules, and which it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.provenance.toy import Clone

WORKFLOW = """
from snakemake_provenance import track
track(workflow)
rule all:
    input: "results/a/last", "results/a/mark"
rule temporary:
    output: temp("results/a/gone")
    shell: "echo temporary > {output}"
rule last:
    input: "results/a/gone"
    output: first="results/a/last", second="results/a/other"
    shell: "cat {input} > {output.first}; echo {output.second} > {output.second}"
rule mark:
    output: touch("results/a/mark")
    run: assert output
"""


def test_what_is_no_file_is_not_recorded_and_a_warning_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    place = Clone(tmp_path)
    place.build()
    assert "rule temporary is not recorded (temp)" in caplog.text
    manifest = (tmp_path / "provenance/a.jsonl").read_text()
    assert "results/a/mark" in manifest
    assert not place.plan().runs()
    (tmp_path / "results/a/mark").write_text("altered")
    assert place.plan().runs() == {"a/mark"}
