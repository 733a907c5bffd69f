"""Each artifact: fresh, stale and why, missing, not recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from snakemake_provenance.differences import Code, differences
from snakemake_provenance.freshness import FileStatus, State
from snakemake_provenance.plan import Job, by_output
from snakemake_provenance.records import STALE
from snakemake_provenance.restoring import Report


class Condition(StrEnum):
    """What a user wants to know of an artifact."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    UNRECORDED = "not recorded"
    ELSEWHERE = "not here"


@dataclass(frozen=True)
class Line:
    """One artifact."""

    path: str
    condition: Condition
    why: tuple[str, ...] = ()


def status(jobs: Sequence[Job], report: Report, code: Code) -> list[Line]:
    """A line for each output of each job, sorted by path.

    Args:
        jobs: all behind the targets.
        report: statuses on what is on disk.
        code: digests by file, by the digest of all.
    """
    statuses = {status.path: status for status in report.statuses}
    plans = by_output(jobs)
    return [_line(path, plans, statuses, code) for path in sorted(plans)]


def _line(path: str, plans: Mapping[str, Job], statuses: Mapping[str, FileStatus], code: Code) -> Line:
    job, status = plans[path], statuses.get(path)
    fact = status.fact if status else None
    if not Path(path).is_file():
        if job.runs:
            return Line(path, Condition.MISSING, ("recorded: pull it, or run the workflow",) if fact else ())
        return Line(path, Condition.ELSEWHERE, ("nothing needs it now",))
    if not job.runs:
        return Line(path, Condition.FRESH)
    if status and status.state is State.UNKNOWN:
        return Line(path, Condition.UNRECORDED, status.reasons)
    return Line(path, Condition.STALE, tuple(reasons(job, status, plans, code)))


def reasons(job: Job, status: FileStatus | None, plans: Mapping[str, Job], code: Code) -> list[str]:
    """Why a job runs."""
    found = list(status.reasons) if status else []
    if status and status.fact:
        before = [text for text in status.fact.record.get("params") or [] if STALE not in text]
        found += differences(before, job.params, code)
    remade = [path for path in job.inputs if path in plans and plans[path].runs]
    found += [f"made from {path}, which is to be made again" for path in remade]
    return found or [job.reason]


def summary(lines: Sequence[Line]) -> str:
    """How many artifacts are in each condition."""
    counts = Counter(line.condition for line in lines)
    return (
        ", ".join(f"{counts[condition]} {condition}" for condition in Condition if counts[condition]) or "no artifacts"
    )
