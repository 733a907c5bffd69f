"""What jobs used of what they asked for, and where their time went, from their records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from underpainting_workflow.watching.record import Record, State

_MARGIN = 1.1
"""Processor time beyond the threads asked for that is let pass: libraries' own threads at the start."""


@dataclass(frozen=True)
class Use:
    """What a job, or all jobs of a rule, used.

    Attributes:
        name: of the rule or the job.
        jobs: how many.
        ended_well: how many of them.
        startup_seconds: mean over the jobs; None where it is not known.
        wall_seconds: summed.
        longest_seconds, wall_requested_seconds: the largest of any job.
        memory_mb, memory_requested_mb: the largest of any job, MB of 2^20 bytes.
        cpu_efficiency: processor time over wall clock times threads.
        calls, nfe: network calls, and these times their images.
        nfe_per_second: within network calls; None without any.
        busy: share of the wall clock within network calls and training steps.
        exceeded: how many jobs used more than they asked for.
    """

    name: str
    jobs: int
    ended_well: int
    startup_seconds: float | None
    wall_seconds: float
    longest_seconds: float
    wall_requested_seconds: float | None
    memory_mb: float
    memory_requested_mb: float | None
    cpu_efficiency: float
    calls: int
    nfe: int
    nfe_per_second: float | None
    busy: float
    exceeded: int


@dataclass(frozen=True)
class Total:
    """All jobs together.

    Attributes:
        jobs: how many.
        wall_seconds: from the first start to the last end.
        occupied_seconds: of these, while at least one job ran.
        busy_seconds: within network calls and training steps, summed.
        ratio: wall clock over busy seconds; None where nothing was.
    """

    jobs: int
    wall_seconds: float
    occupied_seconds: float
    busy_seconds: float
    ratio: float | None


def ended(records: Iterable[Record], now: datetime) -> list[Record]:
    """The records of jobs that no longer run, lost ones with what they told last."""
    return [record for record in records if record.state(now) is not State.RUNNING]


def by_rule(records: Iterable[Record]) -> list[Use]:
    """A line per rule, the longest first."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.rule].append(record)
    return sorted((use(rule, group) for rule, group in groups.items()), key=lambda line: -line.wall_seconds)


def by_job(records: Iterable[Record]) -> list[Use]:
    """A line per job, in the order of the records."""
    return [use(record.job, [record]) for record in records]


def use(name: str, records: Sequence[Record]) -> Use:
    """What some jobs used; at least one."""
    wall = sum(record.wall_seconds for record in records)
    offered = sum(record.wall_seconds * record.requested.threads for record in records)
    network = sum(record.work.network_seconds for record in records)
    nfe = sum(record.work.images for record in records)
    starts = [record.startup_seconds for record in records if record.startup_seconds is not None]
    minutes = _largest(record.requested.runtime for record in records)
    return Use(
        name=name,
        jobs=len(records),
        ended_well=sum(record.told is State.DONE for record in records),
        startup_seconds=fmean(starts) if starts else None,
        wall_seconds=wall,
        longest_seconds=max(record.wall_seconds for record in records),
        wall_requested_seconds=None if minutes is None else 60 * minutes,
        memory_mb=max(record.memory_mb for record in records),
        memory_requested_mb=_largest(record.requested.mem_mb for record in records),
        cpu_efficiency=sum(record.cpu_seconds for record in records) / offered if offered else 0.0,
        calls=sum(record.work.calls for record in records),
        nfe=nfe,
        nfe_per_second=nfe / network if network else None,
        busy=sum(record.busy_seconds for record in records) / wall if wall else 0.0,
        exceeded=sum(bool(excess(record)) for record in records),
    )


def excess(record: Record) -> list[str]:
    """In what a job used more than it asked for, in words; nothing where it asked for nothing."""
    asked, found = record.requested, []
    if asked.runtime and record.wall_seconds > 60 * asked.runtime:
        found.append(f"{record.wall_seconds / 60:.1f} of {asked.runtime:g} minutes")
    if asked.mem_mb and record.memory_mb > asked.mem_mb:
        found.append(f"{record.memory_mb:.0f} of {asked.mem_mb:g} MB")
    if record.wall_seconds and record.cpu_seconds > _MARGIN * record.wall_seconds * asked.threads:
        found.append(f"{record.cpu_seconds / record.wall_seconds:.1f} processors on {asked.threads} threads")
    return found


def total(records: Sequence[Record]) -> Total:
    """All jobs together; at least one."""
    spans = sorted((record.begin, record.end) for record in records)
    reached, occupied = spans[0][0], 0.0
    for begin, end in spans:
        occupied += max((end - max(begin, reached)).total_seconds(), 0.0)
        reached = max(reached, end)
    wall = (reached - spans[0][0]).total_seconds()
    busy = sum(record.busy_seconds for record in records)
    return Total(len(records), wall, occupied, busy, wall / busy if busy else None)


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
