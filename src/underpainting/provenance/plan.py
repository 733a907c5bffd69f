"""What Snakemake would run now: its own dry run, told as data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class WorkflowFailedError(RuntimeError):
    """Snakemake could not plan; the message is its own."""


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Args:
        params: as Snakemake records them.
        runs: whether it is to be run.
        reason: Snakemake's words.
    """

    rule: str
    outputs: list[str]
    inputs: list[str]
    params: list[str]
    runs: bool
    reason: str


def plan(studies: Sequence[str] = (), targets: Sequence[str] = (), options: Sequence[str] = ()) -> list[Job]:
    """Every job behind the targets, from a dry run in the working folder.

    Args:
        studies: those chosen; none means those that are configured.
        targets: rules or files; none means the default target.
        options: further arguments for Snakemake.

    Raises:
        WorkflowFailedError: the dry run failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.json"
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet=all", "--cores", "1", *options]
        command += ["--config", f"studies={','.join(studies)}"] if studies else []
        command += ["--", *targets] if targets else []
        environment = {**os.environ, "SNAKEMAKE_PLAN": str(file)}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode or not file.is_file():
            raise WorkflowFailedError((result.stderr + result.stdout).strip() or "snakemake --dry-run failed")
        return [Job(**job) for job in json.loads(file.read_text(encoding="utf-8"))]


def by_output(jobs: Sequence[Job]) -> dict[str, Job]:
    """The job of each output."""
    return {path: job for job in jobs for path in job.outputs}
