"""Handle jobs that a killed run has left with Slurm, and that may still be running.

Without this, starting Snakemake again would submit the same work twice. Pending jobs are cancelled, since nothing is
lost with them; so are jobs that Slurm would start again. Running jobs are waited for: they record their outputs, and
the Snakemake within each job writes the record (`records.write_where_jobs_run`), so that their results count.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from snakemake_provenance.messages import shortened

log = logging.getLogger(__name__)

_RUN = re.compile(r"(.+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # the name that Snakemake gives to its jobs
_ALIVE = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING", "REQUEUED")
_SECONDS_BETWEEN = 5.0


@dataclass(frozen=True)
class Job:
    """A job in Slurm's queue."""

    number: str
    waits: bool


def left_over(folder: Path) -> list[Job]:
    """List the jobs of this user that Snakemake submitted from a folder; none where there is no Slurm."""
    if not shutil.which("squeue"):
        return []
    command = ["squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%j|%Z"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        _warn(shortened(" ".join(answer.stderr.split())))
        return []
    rows = (line.split("|", 3) for line in answer.stdout.splitlines())
    return [
        Job(number, state == "PENDING")
        for number, state, name, place in rows
        if state in _ALIVE and _RUN.fullmatch(name) and Path(place) == folder
    ]


@cache
def _warn(answer: str) -> None:
    """Warn that Slurm's queue cannot be read, once in a process."""
    log.warning("squeue does not answer (%s): jobs of a killed run would not be noticed", answer)


def settle(folder: Path, sleep: Callable[[float], object] = time.sleep) -> None:
    """Cancel the pending jobs of a killed run, and wait until its running jobs have ended."""
    known: set[str] = set()
    while jobs := left_over(folder):
        if waiting := [job.number for job in jobs if job.waits]:
            log.warning("cancelling jobs of a run that was killed, which have not begun: %s", " ".join(waiting))
            subprocess.run(["scancel", *waiting], check=False)
        running = {job.number for job in jobs if not job.waits}
        if numbers := " ".join(sorted(running - known)):
            log.warning("waiting for jobs of a run that was killed: %s (scancel %s gives them up)", numbers, numbers)
        known |= {job.number for job in jobs}
        sleep(_SECONDS_BETWEEN)
