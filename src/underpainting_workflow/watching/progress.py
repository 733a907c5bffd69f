"""How far a run is, from the records of its jobs and, if it was asked for, Snakemake's plan."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from snakemake_provenance.plan import Job
from underpainting_workflow.watching.record import Record, State


@dataclass(frozen=True)
class Pace:
    """A running job.

    Attributes:
        job, rule: names.
        unit: what it counts: "images" (network evaluations of one image each, NFE) or training "steps"; "" if nothing.
        done, planned: of these; `planned` is None where it is not known.
        rate: units per second within network calls, or within steps.
        left: seconds until it has done what is planned, at its pace so far; None where that is not known.
    """

    job: str
    rule: str
    unit: str
    done: int
    planned: int | None
    rate: float | None
    left: float | None


@dataclass(frozen=True)
class Progress:
    """A run.

    Attributes:
        done, failed, lost: numbers of jobs.
        running: one by one.
        to_come: number of further jobs; None where Snakemake was not asked.
        images_done, images_planned: sums over all jobs that are done or running and know what they have to do.
        rate: network evaluations per second, summed over the running jobs.
        left: seconds until the running jobs end and those to come have followed, as many at a time as run now;
            those to come are expected to take as long as others of their rule took. None where nothing is known.
        unknown: number of jobs to come of rules that never ran, which `left` leaves out.
    """

    done: int
    failed: int
    lost: int
    running: Sequence[Pace]
    to_come: int | None
    images_done: int
    images_planned: int
    rate: float
    left: float | None
    unknown: int


def progress(records: Sequence[Record], now: datetime, plan: Sequence[Job] | None = None) -> Progress:
    """How far a run is.

    Args:
        records: of the jobs that have begun.
        now: the time.
        plan: Snakemake's, if it was asked: then jobs that it no longer knows do not count.
    """
    latest = {record.job: record for record in sorted(records, key=lambda record: record.started)}
    states = {name: record.state(now) for name, record in latest.items()}
    finished = {name for name, state in states.items() if state is State.DONE}
    coming: list[Job] = []
    if plan is not None:
        runs = {job.outputs[0]: job.runs for job in plan}
        states = {name: state for name, state in states.items() if _counts(state, runs.get(name))}
        finished = {name for name, wanted in runs.items() if not wanted and name not in states}
        coming = [job for job in plan if job.runs and job.outputs[0] not in states]
    running = [latest[name] for name, state in states.items() if state is State.RUNNING]
    paces = [pace(record, now) for record in running]
    known = [*running, *(latest[name] for name in finished if name in latest)]
    counted = [record.work for record in known if record.work.images_planned]
    mean = mean_seconds(records)
    count = Counter(states.values())
    return Progress(
        done=len(finished),
        failed=count[State.FAILED],
        lost=count[State.LOST],
        running=paces,
        to_come=None if plan is None else len(coming),
        images_done=sum(work.images for work in counted),
        images_planned=sum(work.images_planned or 0 for work in counted),
        rate=sum(one.rate or 0.0 for one in paces if one.unit == "images"),
        left=_left(paces, [mean[job.rule] for job in coming if job.rule in mean]),
        unknown=sum(job.rule not in mean for job in coming),
    )


def _counts(state: State, wanted: bool | None) -> bool:
    """Whether a record still tells how a job of the plan stands; `wanted` is None for a job that the plan does not know."""
    if state is State.RUNNING:
        return wanted is not None
    return state is not State.DONE and bool(wanted)


def pace(record: Record, now: datetime) -> Pace:
    """How a running job gets on."""
    work = record.work
    unit, done, planned, seconds = "", 0, None, 0.0
    if work.steps or work.steps_planned:
        unit, done, planned, seconds = "steps", work.steps, work.steps_planned, work.training_seconds
    elif work.images or work.images_planned:
        unit, done, planned, seconds = "images", work.images, work.images_planned, work.network_seconds
    left = None
    if planned is not None and done:
        since = (now - datetime.fromisoformat(record.written)).total_seconds()
        left = max((planned - done) * work.working_seconds / done - since, 0.0)
    return Pace(record.job, record.rule, unit, done, planned, done / seconds if seconds else None, left)


def mean_seconds(records: Sequence[Record]) -> Mapping[str, float]:
    """Mean wall clock time of the jobs that are done, by rule."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record.told is State.DONE:
            found[record.rule].append(record.wall_seconds)
    return {rule: fmean(values) for rule, values in found.items()}


def _left(running: Sequence[Pace], coming: Sequence[float]) -> float | None:
    known = [one.left for one in running if one.left is not None]
    if not known and not coming:
        return None
    shared = (sum(known) + sum(coming)) / max(len(running), 1)
    return max([shared, *known])
