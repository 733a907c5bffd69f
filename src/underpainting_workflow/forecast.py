"""Estimate the cost of planned jobs per rule: jobs, network calls, hours, bytes, requested memory and time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snakemake_provenance.plan import Job
from underpainting_workflow.studies import costs
from underpainting_workflow.studies.loading import AnyStudy
from underpainting_workflow.studies.text_to_image import TextToImageStudy
from underpainting_workflow.studies.text_to_image import costs as text_costs
from underpainting_workflow.usage.record import State, read_all


@dataclass(frozen=True)
class Load:
    """The cost of some jobs.

    Attributes:
        jobs: number of jobs.
        evaluations: network evaluations of one image each.
        trained: images on which networks are trained, counted each time they are used.
        size: bytes of the outputs whose size is known in advance; None if there are none.
    """

    jobs: int = 0
    evaluations: int = 0
    trained: int = 0
    size: int | None = None

    def __add__(self, other: Load) -> Load:
        known = [size for size in (self.size, other.size) if size is not None]
        size = sum(known) if known else None
        return Load(self.jobs + other.jobs, self.evaluations + other.evaluations, self.trained + other.trained, size)

    def seconds(self, rate: float) -> float:
        """Return the time within networks.

        Args:
            rate: network evaluations per second.
        """
        return (self.evaluations + costs.BACKWARD * self.trained) / rate


@dataclass(frozen=True)
class Row:
    """The jobs of a rule.

    Attributes:
        rule: name of the rule.
        pending: jobs still to run.
        all: all jobs.
        seconds: within networks, of pending jobs; None if their rate is not known.
        memory: largest request of a pending job, in MB; None without any.
        runtime: largest request of a pending job, in minutes; None without any.
    """

    rule: str
    pending: Load
    all: Load
    seconds: float | None = None
    memory: float | None = None
    runtime: float | None = None


def load(job: Job, study: AnyStudy) -> Load:
    """Estimate the cost of one job."""
    if isinstance(study, TextToImageStudy):
        return Load(
            1,
            text_costs.network_calls(job.rule, study, job.wildcards),
            size=text_costs.stored_bytes(job.rule, study, job.wildcards),
        )
    size = costs.stored_bytes(job.rule, study, job.wildcards)
    return Load(
        1,
        costs.network_calls(job.rule, study, job.wildcards),
        costs.images_trained(job.rule, study, job.wildcards),
        size,
    )


def forecast(jobs: Iterable[Job], study: AnyStudy, rates: Mapping[str, float], rate: float | None = None) -> list[Row]:
    """Estimate the cost of each rule, in the order of the jobs.

    Args:
        jobs: all jobs of the study, from Snakemake's plan.
        study: the study.
        rates: measured network evaluations per second, by rule.
        rate: rate of all other rules; None if unknown.
    """
    by_rule: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_rule[job.rule].append(job)
    return [_row(rule, found, study, rates.get(rule, rate)) for rule, found in by_rule.items()]


def _row(rule: str, jobs: Sequence[Job], study: AnyStudy, rate: float | None) -> Row:
    loads = [(job.runs, load(job, study)) for job in jobs]
    pending = sum((one for runs, one in loads if runs), Load())
    requests = [job.resources for job in jobs if job.runs]
    return Row(
        rule,
        pending,
        sum((one for _, one in loads), Load()),
        pending.seconds(rate) if rate else None,
        _largest(request.get("mem_mb") for request in requests),
        _largest(request.get("runtime") for request in requests),
    )


def total(rows: Sequence[Row], name: str = "all") -> Row:
    """Combine rows into one, with the largest requests of memory and time."""
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return Row(
        name,
        sum((row.pending for row in rows), Load()),
        sum((row.all for row in rows), Load()),
        sum(seconds) if seconds else None,
        _largest(row.memory for row in rows),
        _largest(row.runtime for row in rows),
    )


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def measured_rates(logs: Path, names: Sequence[str] = ()) -> tuple[dict[str, float], float | None]:
    """Return the network evaluations per second of finished jobs, by rule and over all rules, from their usage records.

    Args:
        logs: folder of the logs, next to which the records are.
        names: studies; none means all.
    """
    evaluations: dict[str, float] = defaultdict(float)
    seconds: dict[str, float] = defaultdict(float)
    for record in read_all(names, logs):
        if record.reported is State.DONE and record.work.evaluations and record.work.network_seconds:
            evaluations[record.rule] += record.work.evaluations
            seconds[record.rule] += record.work.network_seconds
    mean = sum(evaluations.values()) / sum(seconds.values()) if evaluations else None
    return {rule: evaluations[rule] / seconds[rule] for rule in evaluations}, mean
