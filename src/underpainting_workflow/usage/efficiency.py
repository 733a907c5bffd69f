"""Compare used with requested resources, and report how jobs spent their time, from their usage records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from underpainting_workflow.usage.record import Record

_MARGIN = 1.1
"""Processor time beyond the requested threads that is tolerated: libraries start further threads."""


def table(records: Sequence[Record], by: str) -> pd.DataFrame:
    """Summarise usage records as a table.

    Args:
        records: at least one.
        by: "rule" for a row per rule, the longest first; "job" for a row per job.

    Returns:
        `rule` or `job`; `jobs`: number; `startup_seconds`: mean; `wall_seconds`: sum; `longest_seconds`,
        `requested_seconds`, `memory_mb`, `requested_mb`: largest of any job, the requested ones NaN without a limit;
        `cpu_efficiency`: processor time over wall clock times threads; `calls`, `evaluations`: network calls, and these times
        their images; `evaluations_per_second`: within network calls; `busy`: share of the wall clock within network calls and
        training steps.
    """
    jobs = pd.DataFrame([{**asdict(record), **asdict(record.work), "busy": record.busy_seconds} for record in records])
    jobs["requested_mb"] = jobs["requested_mb"].astype(float)
    jobs["requested_seconds"] = 60 * jobs["requested_minutes"].astype(float)
    jobs["offered"] = jobs["wall_seconds"] * jobs["threads"]
    sums = jobs.groupby(by, sort=False)[["offered", "network_seconds", "cpu_seconds", "busy"]].sum()
    result = jobs.groupby(by, sort=False).agg(
        jobs=("pid", "size"),
        startup_seconds=("startup_seconds", "mean"),
        wall_seconds=("wall_seconds", "sum"),
        longest_seconds=("wall_seconds", "max"),
        requested_seconds=("requested_seconds", "max"),
        memory_mb=("memory_mb", "max"),
        requested_mb=("requested_mb", "max"),
        calls=("calls", "sum"),
        evaluations=("evaluations", "sum"),
    )
    result.insert(7, "cpu_efficiency", sums["cpu_seconds"] / sums["offered"])
    result["evaluations_per_second"] = result["evaluations"] / sums["network_seconds"]
    result["busy"] = sums["busy"] / result["wall_seconds"]
    return (result if by == "job" else result.sort_values("wall_seconds", ascending=False)).reset_index()


def excess(record: Record) -> list[str]:
    """Return, in words, each resource of which a job used more than it requested."""
    found = []
    if record.requested_minutes and record.wall_seconds > 60 * record.requested_minutes:
        found.append(f"{record.wall_seconds / 60:.1f} of {record.requested_minutes:g} minutes")
    if record.requested_mb and record.memory_mb > record.requested_mb:
        found.append(f"{record.memory_mb:.0f} of {record.requested_mb:g} MB")
    if record.wall_seconds and record.cpu_seconds > _MARGIN * record.wall_seconds * record.threads:
        found.append(f"{record.cpu_seconds / record.wall_seconds:.1f} processors on {record.threads} threads")
    return found


def occupied_seconds(records: Sequence[Record]) -> float:
    """Return the seconds during which at least one job ran."""
    seconds, reached = 0.0, None
    for begin, end in sorted((record.begin, record.end) for record in records):
        start = begin if reached is None else max(begin, reached)
        seconds += max((end - start).total_seconds(), 0.0)
        reached = end if reached is None else max(reached, end)
    return seconds
