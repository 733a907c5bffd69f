"""List the jobs that Snakemake would run now, from its dry run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_provenance.messages import ProvenanceError

UNLIMITED = "1000000"  # cores; with fewer, a plan would show fewer threads than jobs request


class WorkflowFailedError(ProvenanceError):
    """Snakemake could not plan; the message is Snakemake's."""


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Args:
        params: as Snakemake records them.
        runs: whether it is to be run.
        reason: Snakemake's message.
        wildcards: by name.
        threads: requested.
        resources: requested, those that are numbers: `mem_mb`, `runtime` in minutes, and others.
    """

    rule: str
    outputs: list[str]
    inputs: list[str]
    params: list[str]
    runs: bool
    reason: str
    wildcards: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    resources: Mapping[str, float] = field(default_factory=dict)


def plan(targets: Sequence[str] = (), options: Sequence[str] = (), folder: Path = Path()) -> list[Job]:
    """List every job behind the targets, from a dry run.

    Args:
        targets: rules or files; none means the default target.
        options: further arguments for Snakemake.
        folder: the working folder.

    Raises:
        WorkflowFailedError: the dry run failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "plan.json"
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet=all", "--cores", UNLIMITED, *options]
        command += ["--", *targets] if targets else []
        environment = {**os.environ, "SNAKEMAKE_PLAN": str(file)}
        result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if result.returncode or not file.is_file():
            raise WorkflowFailedError((result.stderr + result.stdout).strip() or "snakemake --dry-run failed")
        return [Job(**job) for job in json.loads(file.read_text(encoding="utf-8"))]


def by_output(jobs: Sequence[Job]) -> dict[str, Job]:
    """Return the job of each output."""
    return {path: job for job in jobs for path in job.outputs}
