"""What a script's `main` is given, and scripts that are started by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from underpainting_workflow.runner import Job

JOB = Job(
    rule="mix",
    inputs={"pigment": ["a", "b"], "oil": ["c"], "varnish": []},
    outputs={"csv": ["out.csv"], "html": ["out.html"]},
    all_inputs=["a", "b", "c"],
    all_outputs=["out.csv", "out.html"],
    wildcards={"study": "tiny", "first": "4", "stop": "9", "skipped_steps": "3"},
    config={"shade": 0.5, "compute": {"precision": "tf32"}},
    code="mix 0123",
    resources={"device": "cpu", "place": ""},
    threads=2,
    log="logs/mix.log",
)


@dataclass(frozen=True)
class Compute:
    device: str
    precision: str


def test_parameters_are_filled_by_name_and_converted_to_their_annotation() -> None:
    def main(
        pigment: list[str],
        oil: str,
        varnish: str | None,
        html: str,
        study: str,
        skipped_steps: int,
        shade: float,
        place: str,
        seeds: range,
        compute: Compute,
    ) -> None: ...

    globals_of(main)["Compute"] = Compute
    assert JOB.arguments(main) == {
        "pigment": ["a", "b"],
        "oil": "c",
        "varnish": None,
        "html": "out.html",
        "study": "tiny",
        "skipped_steps": 3,
        "shade": 0.5,
        "place": "",
        "seeds": range(4, 9),
        "compute": Compute("cpu", "tf32"),
    }


def globals_of(main: Any) -> dict[str, Any]:
    found: dict[str, Any] = main.__globals__
    return found


def test_inputs_are_those_that_no_other_parameter_names() -> None:
    def main(inputs: dict[str, str], pigment: list[str], outputs: dict[str, str], config: dict[str, Any]) -> None: ...

    assert JOB.arguments(main) == {
        "inputs": {"oil": "c"},
        "pigment": ["a", "b"],
        "outputs": {"csv": "out.csv", "html": "out.html"},
        "config": JOB.config,
    }


def test_inputs_may_be_lists_with_or_without_names() -> None:
    def by_name(inputs: dict[str, list[str]]) -> None: ...

    def in_order(inputs: list[str], outputs: list[str]) -> None: ...

    assert JOB.arguments(by_name) == {"inputs": dict(JOB.inputs)}
    assert JOB.arguments(in_order) == {"inputs": ["a", "b", "c"], "outputs": ["out.csv", "out.html"]}


def test_one_output_needs_no_name() -> None:
    def main(output: str) -> None: ...

    assert replace(JOB, all_outputs=["out.csv"]).arguments(main) == {"output": "out.csv"}


def wrong_name(canvas: str) -> None: ...
def several(pigment: str) -> None: ...
def none(varnish: str) -> None: ...
def no_number(study: int) -> None: ...


@pytest.mark.parametrize(
    ("main", "error", "said"),
    [
        (wrong_name, TypeError, "mix: .* is named canvas"),
        (several, TypeError, "pigment is 2 files"),
        (none, TypeError, "varnish is 0 files"),
        (no_number, ValueError, "tiny"),
    ],
)
def test_what_does_not_fit_is_refused(main: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        JOB.arguments(main)


SCRIPT = """
from pathlib import Path
from underpainting_workflow.runner import run

def main(oil: str, csv: str, shade: float) -> None:
    Path(csv).parent.mkdir(parents=True, exist_ok=True)
    Path(csv).write_text(f"{oil} {shade}")

if __name__ == "__main__":
    run(main)
"""


def by_hand(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "mix.py").write_text(SCRIPT)
    return subprocess.run(
        [sys.executable, "mix.py", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_script_is_started_by_hand_with_a_job_file_and_touches_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    JOB.save()
    assert json.loads(JOB.file.read_text())["rule"] == "mix"
    done = by_hand(tmp_path, "logs/mix.job.json", "elsewhere")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "elsewhere/out.csv").read_text() == "c 0.5"
    assert not (tmp_path / "out.csv").exists()


def test_a_script_without_a_job_file_says_how_it_is_started(tmp_path: Path) -> None:
    done = by_hand(tmp_path)
    assert done.returncode == 1
    assert "usage: mix.py logs/.../NAME.job.json [FOLDER]" in done.stderr


WORKFLOW = """
from pathlib import Path
from snakemake_provenance import code
from underpainting_workflow import jobs
HERE = Path(workflow.basedir)
rule mix:
    output: csv="results/out.csv"
    log: "logs/mix.log"
    retries: 2
    params:
        code=f"mix {code.combined(jobs.code_of(HERE, 'mix'))}",
        packages=jobs.packages_of(HERE, "mix"),
        config={"shade": 0.5},
    script: "mix.py"
"""
FAILING = """
import logging, os, signal
from pathlib import Path
from underpainting_workflow.runner import run

def main(csv: str, shade: float) -> None:
    logging.info("mixing")
    if not Path("first").exists():
        Path("first").touch()
        raise RuntimeError("the pigment is lumpy")
    if not Path("second").exists():
        Path("second").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    Path(csv).write_text(f"{shade}")

if __name__ == "__main__":
    run(main)
"""


@pytest.mark.slow
def test_a_log_begins_with_those_of_failed_and_killed_attempts(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    (tmp_path / "mix.py").write_text(FAILING)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "results/out.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, killed, last = (tmp_path / "logs/mix.log").read_text().split(" attempt ")[1:]
    assert first.startswith("1: ") and "RuntimeError: the pigment is lumpy" in first
    assert killed.startswith("2: ") and "mixing" in killed and "done" not in killed
    assert last.startswith("3: ") and "done" in last
    subprocess.run([*command, "--forceall"], cwd=tmp_path, capture_output=True, check=True)
    assert "lumpy" not in (tmp_path / "logs/mix.log").read_text()
