"""Explain how a file was made: its inputs, parameters and code, and how they differ now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from snakemake_provenance.differences import Code
from snakemake_provenance.freshness import FileStatus, State
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.plan import Job, by_output
from snakemake_provenance.restoring import Report
from snakemake_provenance.settings import Settings
from snakemake_provenance.status import reasons

WIDTH = 12  # digits of a hash that are shown


class NotAnArtifactError(ProvenanceError):
    """No rule makes the file and no manifest mentions it."""


def why(
    path: str, jobs: Sequence[Job], report: Report, code: Code, settings: Settings, hash_of: Callable[[str], str | None]
) -> Iterator[str]:
    """Yield lines that explain a file, then its inputs, indented.

    Args:
        jobs: all jobs of the targets.
        code: digests by file, by the combined digest.
        hash_of: returns the hash of a local file.

    Raises:
        NotAnArtifactError: the workflow does not make the file, and no fact is about it.
    """
    statuses = {status.path: status for status in report.statuses}
    plans = by_output(jobs)
    if path not in plans and path not in statuses:
        raise NotAnArtifactError(
            f"{path}: no rule makes it and no manifest mentions it; `status --all` lists what there is"
        )
    seen: set[str] = set()
    yield from _explain(path, 0, _Sources(plans, statuses, code, settings, hash_of), seen)


class _Sources:
    """The data from which explanations are made."""

    def __init__(
        self,
        plans: Mapping[str, Job],
        statuses: Mapping[str, FileStatus],
        code: Code,
        settings: Settings,
        hash_of: Callable[[str], str | None],
    ) -> None:
        self.plans, self.statuses, self.code, self.settings, self.hash_of = plans, statuses, code, settings, hash_of


def _explain(path: str, depth: int, sources: _Sources, seen: set[str]) -> Iterator[str]:
    indent = "  " * depth
    job, status = sources.plans.get(path), sources.statuses.get(path)
    if path in seen:
        yield f"{indent}{path}  (above)"
        return
    seen.add(path)
    if job is None and status is None:
        digest = sources.hash_of(path)
        yield f"{indent}{path}  {f'source, sha256 {digest[:WIDTH]}' if digest else 'source, not here'}"
        return
    yield f"{indent}{path}  {_state(path, job, status, sources)}"
    if depth == 0 or (job and job.runs):
        yield from (f"{indent}  - {line}" for line in _details(job, status, sources, depth == 0))
    fact = status.fact if status else None
    inputs = [sources.settings.local(name) for name in fact.inputs] if fact else (job.inputs if job else [])
    for name in sorted(inputs):
        yield from _explain(name, depth + 1, sources, seen)


def _state(path: str, job: Job | None, status: FileStatus | None, sources: _Sources) -> str:
    state = "not here" if sources.hash_of(path) is None else "unknown to the workflow" if job is None else "fresh"
    if job and job.runs:
        state = "to be made" if state == "not here" else "not recorded" if _unknown(status) else "stale"
    if not status or not status.fact:
        return state
    fact = status.fact
    return f"{state}, made by {fact.record.get('rule')} at {fact.made.get('at')}, sha256 {fact.sha256[:WIDTH]}"


def _unknown(status: FileStatus | None) -> bool:
    return status is not None and status.state is State.UNKNOWN


def _details(job: Job | None, status: FileStatus | None, sources: _Sources, in_full: bool) -> Iterator[str]:
    if job and job.runs:
        yield from (f"now: {reason}" for reason in reasons(job, status, sources.plans, sources.code))
    fact = status.fact if status else None
    if fact and in_full:
        yield f"took {fact.made.get('seconds')} s, python {fact.made.get('python')}, {fact.made.get('system')}"
        yield from (f"with {text}" for text in fact.record.get("params") or [])
        files = sources.code.get(str(fact.made.get("code")))
        if files:
            yield "code: " + ", ".join(f"{name} {digest[:8]}" for name, digest in files.items())
