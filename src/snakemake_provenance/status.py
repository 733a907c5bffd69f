"""Report the condition of each artifact: fresh, stale and why, missing, or not recorded."""

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
    """The condition of an artifact, as shown to a user."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    UNRECORDED = "not recorded"
    ELSEWHERE = "not here"


@dataclass(frozen=True)
class Line:
    """The status of one artifact."""

    path: str
    condition: Condition
    why: tuple[str, ...] = ()


def status(jobs: Sequence[Job], report: Report, code: Code) -> list[Line]:
    """Return a line for each output of each job, sorted by path.

    Args:
        jobs: all jobs of the targets.
        report: the check of the files on disk.
        code: digests by file, by the combined digest.
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
    """List the reasons why a job runs."""
    found = list(status.reasons) if status else []
    if status and status.fact:
        before = [text for text in status.fact.record.get("params") or [] if STALE not in text]
        found += [difference.text for difference in differences(before, job.params, code)]
    remade = [path for path in job.inputs if path in plans and plans[path].runs]
    found += [f"made from {path}, which is to be made again" for path in remade]
    return found or [job.reason]


def summary(lines: Sequence[Line]) -> str:
    """Format the number of artifacts in each condition."""
    counts = Counter(line.condition for line in lines)
    return (
        ", ".join(f"{counts[condition]} {condition}" for condition in Condition if counts[condition]) or "no artifacts"
    )
