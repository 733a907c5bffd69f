"""Summarise the progress of a run from the usage records of its jobs and, if given, Snakemake's plan."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from snakemake_provenance.plan import Job
from underpainting_workflow.usage.record import Record, State


@dataclass(frozen=True)
class Running:
    """A running job.

    Attributes:
        job: its name.
        unit: unit of its work: network "evaluations" (one image each) or training "steps"; "" without any.
        done, planned: numbers of these units; `planned` is None where it is not known.
        rate: units per second within network calls, or within training steps; None before the first.
        seconds_left: estimated at its rate so far; None where that is not known.
    """

    job: str
    unit: str
    done: int
    planned: int | None
    rate: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class Progress:
    """A run.

    Attributes:
        counts: number of jobs in each state.
        running: the running jobs.
        evaluations, evaluations_planned: sums over the jobs, done or running, that planned network evaluations.
        seconds_left: until all jobs are done, as many at a time as run now, pending ones taking as long as others of
            their rule took; None where nothing is known.
        unknown: number of pending jobs of rules that never ran, which `seconds_left` leaves out.
    """

    counts: Mapping[State, int]
    running: Sequence[Running]
    evaluations: int
    evaluations_planned: int
    seconds_left: float | None
    unknown: int


def progress(records: Iterable[Record], now: datetime, plan: Sequence[Job] | None = None) -> Progress:
    """Summarise the progress of a run.

    Args:
        records: of the jobs that have begun.
        now: the time.
        plan: Snakemake's; jobs that it does not contain are left out. Without it, no job counts as pending.
    """
    latest = {record.job: record for record in sorted(records, key=lambda record: record.begin)}
    states = {name: record.state(now) for name, record in latest.items()}
    if plan is not None:
        states = {job.outputs[0]: _state(job, states.get(job.outputs[0])) for job in plan}
    begun = [latest[name] for name, state in states.items() if state in (State.DONE, State.RUNNING) and name in latest]
    planned = [record.work for record in begun if record.work.evaluations_planned]
    running = [_running(record, now) for record in begun if states[record.job] is State.RUNNING]
    mean = _mean_seconds(latest.values())
    pending = [job.rule for job in plan or () if states[job.outputs[0]] is State.PENDING]
    return Progress(
        Counter(states.values()),
        running,
        sum(work.evaluations for work in planned),
        sum(work.evaluations_planned or 0 for work in planned),
        _seconds_left(running, [mean[rule] for rule in pending if rule in mean]),
        sum(rule not in mean for rule in pending),
    )


def _state(job: Job, recorded: State | None) -> State:
    """Return the state of a planned job; an outdated record, of a job that runs again, is ignored."""
    if recorded is State.RUNNING or (job.runs and recorded in (State.FAILED, State.LOST)):
        return recorded
    return State.PENDING if job.runs else State.DONE


def _running(record: Record, now: datetime) -> Running:
    work = record.work
    if work.steps or work.steps_planned:
        unit, done, planned, seconds = "steps", work.steps, work.steps_planned, work.training_seconds
    else:
        unit, done, planned, seconds = "evaluations", work.evaluations, work.evaluations_planned, work.network_seconds
    left = None
    if planned is not None and done:
        since = (now - record.end).total_seconds()
        left = max((planned - done) * work.working_seconds / done - since, 0.0)
    return Running(
        record.job, unit if done or planned else "", done, planned, done / seconds if seconds else None, left
    )


def _mean_seconds(records: Iterable[Record]) -> Mapping[str, float]:
    """Return the mean wall clock time of the jobs that are done, by rule."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record.reported is State.DONE:
            found[record.rule].append(record.wall_seconds)
    return {rule: fmean(values) for rule, values in found.items()}


def _seconds_left(running: Sequence[Running], pending: Sequence[float]) -> float | None:
    known = [job.seconds_left for job in running if job.seconds_left is not None]
    if not known and not pending:
        return None
    return max([(sum(known) + sum(pending)) / max(len(running), 1), *known])
