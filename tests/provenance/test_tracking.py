"""What `track` records of rules, and which it leaves alone."""

from __future__ import annotations

import os
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


@pytest.mark.slow
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


CHANGING = """
from snakemake_provenance import track
track(workflow)
rule paint:
    input: "results/a/canvas"
    output: "results/a/picture"
    script: "paint.py"
rule canvas:
    output: "results/a/canvas"
    shell: "if test -d next; then rm -r packages; mv next packages; fi; echo linen > {output}"
"""
PAINT = """
from pathlib import Path
import pigment
Path(snakemake.output[0]).write_text(pigment.SHADE)
"""


def install(folder: Path, version: str) -> None:
    """Put a package into a folder; its versions differ in one word."""
    (folder / "pigment.dist-info").mkdir(parents=True)
    (folder / "pigment.dist-info/METADATA").write_text(f"Metadata-Version: 2.1\nName: pigment\nVersion: {version}\n")
    (folder / "pigment.py").write_text(f"SHADE = {version!r}\n")


def test_a_package_replaced_during_a_run_fails_the_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job would be recorded with the version of the run's start, and made with the other."""
    (tmp_path / "Snakefile").write_text(CHANGING)
    (tmp_path / "paint.py").write_text(PAINT)
    install(tmp_path / "packages", "1.0+cpu")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'packages'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    place = Clone(tmp_path)
    place.build()
    assert (tmp_path / "results/a/picture").read_text() == "1.0+cpu"
    (tmp_path / "results/a/canvas").unlink()
    (tmp_path / "results/a/picture").unlink()
    install(tmp_path / "next", "1.1")
    assert place.snakemake() == 1
    assert "paint.py: pigment is 1.1, no longer 1.0 as when the workflow started" in caplog.text
    assert not (tmp_path / "results/a/picture").exists()
    place.build()
    assert (tmp_path / "results/a/picture").read_text() == "1.1"
    assert not place.plan().runs()
