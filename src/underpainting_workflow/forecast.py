"""What a plan of jobs would take: jobs, network calls, hours, bytes, and what is asked of the scheduler, per rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snakemake_provenance.plan import Job
from underpainting_workflow.studies import costs
from underpainting_workflow.studies.models import Study
from underpainting_workflow.usage.record import State, read_all


@dataclass(frozen=True)
class Load:
    """What jobs take.

    Attributes:
        jobs: number of them.
        calls: network calls, one image each (NFE).
        trained: images on which networks are trained, each as often as it is taken.
        size: bytes of the outputs that are known beforehand; None if none is.
    """

    jobs: int = 0
    calls: int = 0
    trained: int = 0
    size: int | None = None

    def __add__(self, other: Load) -> Load:
        known = [size for size in (self.size, other.size) if size is not None]
        size = sum(known) if known else None
        return Load(self.jobs + other.jobs, self.calls + other.calls, self.trained + other.trained, size)

    def seconds(self, rate: float) -> float:
        """Time in networks alone.

        Args:
            rate: calls per second.
        """
        return (self.calls + costs.BACKWARD * self.trained) / rate


@dataclass(frozen=True)
class Row:
    """The jobs of a rule.

    Attributes:
        rule: its name.
        run: those still to run.
        whole: all of them.
        seconds: in networks, of those still to run; None if their rate is not known.
        memory: the most that a job still to run asks for, in MB; None if none asks.
        runtime: the most that such a job asks for, in minutes; None if none asks.
    """

    rule: str
    run: Load
    whole: Load
    seconds: float | None = None
    memory: float | None = None
    runtime: float | None = None


def load(job: Job, study: Study) -> Load:
    """What one job takes."""
    size = costs.stored_bytes(job.rule, study, job.wildcards)
    return Load(
        1,
        costs.network_calls(job.rule, study, job.wildcards),
        costs.images_trained(job.rule, study, job.wildcards),
        size,
    )


def forecast(jobs: Iterable[Job], study: Study, rates: Mapping[str, float], rate: float | None = None) -> list[Row]:
    """A row for each rule, in the order of the jobs.

    Args:
        jobs: all of the study, from Snakemake's plan.
        study: which the jobs belong to.
        rates: measured network calls per second, by rule.
        rate: for rules that have no rate of their own.
    """
    by_rule: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_rule[job.rule].append(job)
    return [_row(rule, found, study, rates.get(rule, rate)) for rule, found in by_rule.items()]


def _row(rule: str, jobs: Sequence[Job], study: Study, rate: float | None) -> Row:
    loads = [(job.runs, load(job, study)) for job in jobs]
    run = sum((one for runs, one in loads if runs), Load())
    asked = [job.resources for job in jobs if job.runs]
    return Row(
        rule,
        run,
        sum((one for _, one in loads), Load()),
        run.seconds(rate) if rate else None,
        _most(ask.get("mem_mb") for ask in asked),
        _most(ask.get("runtime") for ask in asked),
    )


def total(rows: Sequence[Row], name: str = "all") -> Row:
    """All rows as one; memory and time asked for are the largest."""
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return Row(
        name,
        sum((row.run for row in rows), Load()),
        sum((row.whole for row in rows), Load()),
        sum(seconds) if seconds else None,
        _most(row.memory for row in rows),
        _most(row.runtime for row in rows),
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def measured_rates(logs: Path, names: Sequence[str] = ()) -> tuple[dict[str, float], float | None]:
    """Network calls per second of the jobs that are done, by rule and over all, from their records of use.

    Args:
        logs: folder of the logs; a record lies beside its log.
        names: studies; none means all.
    """
    images: dict[str, float] = defaultdict(float)
    seconds: dict[str, float] = defaultdict(float)
    for record in read_all(names, logs):
        if record.reported is State.DONE and record.work.nfe and record.work.network_seconds:
            images[record.rule] += record.work.nfe
            seconds[record.rule] += record.work.network_seconds
    whole = sum(images.values()) / sum(seconds.values()) if images else None
    return {rule: images[rule] / seconds[rule] for rule in images}, whole
