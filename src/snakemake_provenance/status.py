"""Each artifact: fresh, stale and why, missing, not recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from snakemake_provenance.differences import Code, differences
from snakemake_provenance.judgement import State, Verdict
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
        report: verdicts on what is on disk.
        code: digests by file, by the digest of all.
    """
    verdicts = {verdict.path: verdict for verdict in report.verdicts}
    plans = by_output(jobs)
    return [_line(path, plans, verdicts, code) for path in sorted(plans)]


def _line(path: str, plans: Mapping[str, Job], verdicts: Mapping[str, Verdict], code: Code) -> Line:
    job, verdict = plans[path], verdicts.get(path)
    fact = verdict.fact if verdict else None
    if not Path(path).is_file():
        if job.runs:
            return Line(path, Condition.MISSING, ("recorded: pull it, or run the workflow",) if fact else ())
        return Line(path, Condition.ELSEWHERE, ("nothing needs it now",))
    if not job.runs:
        return Line(path, Condition.FRESH)
    if verdict and verdict.state is State.UNKNOWN:
        return Line(path, Condition.UNRECORDED, verdict.reasons)
    return Line(path, Condition.STALE, tuple(reasons(job, verdict, plans, code)))


def reasons(job: Job, verdict: Verdict | None, plans: Mapping[str, Job], code: Code) -> list[str]:
    """Why a job runs."""
    found = list(verdict.reasons) if verdict else []
    if verdict and verdict.fact:
        before = [text for text in verdict.fact.record.get("params") or [] if STALE not in text]
        found += differences(before, job.params, code)
    remade = [path for path in job.inputs if path in plans and plans[path].runs]
    found += [f"made from {path}, which is to be made anew" for path in remade]
    return found or [job.reason]


def summary(lines: Sequence[Line]) -> str:
    """How many artifacts are in each condition."""
    counts = Counter(line.condition for line in lines)
    return (
        ", ".join(f"{counts[condition]} {condition}" for condition in Condition if counts[condition]) or "no artifacts"
    )
