"""The commands about the jobs of a run: `progress` while it goes on, `efficiency` afterwards."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import timedelta
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_provenance.command_line import Commands, add
from snakemake_provenance.plan import plan
from underpainting_workflow.cli import project
from underpainting_workflow.cli.project import UNKNOWN
from underpainting_workflow.usage import record
from underpainting_workflow.usage.progress import Progress, Running, progress
from underpainting_workflow.usage.record import Record, State

if TYPE_CHECKING:
    import pandas as pd


def register(commands: Commands) -> None:
    """Add the commands `progress` and `efficiency`."""
    text = "show how far a run is: jobs done, running, lost and pending; network evaluations per second, time left"
    command = add(commands, "progress", _progress, text)
    project.take_studies(command)
    text = "ask Snakemake which jobs are pending, which takes seconds; always done if no job is running"
    command.add_argument("--plan", action="store_true", help=text)
    text = "compare what jobs used with what they requested, and show where their time went"
    command = add(commands, "efficiency", _efficiency, text)
    project.take_studies(command)
    command.add_argument("--jobs", action="store_true", help="a row per job, not per rule")
    command.add_argument("--csv", type=Path, metavar="FILE", help="also write the table to this file, with all digits")


def _progress(options: argparse.Namespace) -> int:
    records, now = record.read_all(options.studies), record.now()
    idle = not any(one.state(now) is State.RUNNING for one in records)
    jobs = plan(options=project.settings().planning(options.studies)) if options.plan or idle else None
    found = progress(records, record.now(), jobs)
    for line in _summary(found, planned=jobs is not None):
        print(line)
    return int(bool(found.counts[State.FAILED] or found.counts[State.LOST]))


def _summary(found: Progress, planned: bool) -> list[str]:
    states = (State.DONE, State.RUNNING, State.FAILED, State.LOST)
    counts = ", ".join(f"{found.counts[state]} {state}" for state in states)
    lines = [f"jobs: {counts}, {found.counts[State.PENDING] if planned else '? (--plan counts them)'} pending"]
    if found.running:
        lines += project.columns([("running", "done", "per second", "time left"), *map(_running, found.running)])
    if found.evaluations_planned:
        rate = sum(job.rate or 0.0 for job in found.running if job.unit == "evaluations")
        share = f"{found.evaluations / found.evaluations_planned:.0%}"
        text = f"network evaluations of jobs done and running: {found.evaluations} of {found.evaluations_planned} ({share})"
        lines.append(text + (f", {rate:.0f} per second now" if rate else ""))
    if found.seconds_left is not None:
        beyond = f", and {found.unknown} jobs of rules that never ran" if found.unknown else ""
        lines.append(f"time left: about {duration(found.seconds_left)}{beyond}")
    return lines


def _running(job: Running) -> tuple[str, ...]:
    planned = "?" if job.planned is None else job.planned
    done = f"{job.done} of {planned} {job.unit}" if job.unit else UNKNOWN
    return (
        job.job,
        done,
        UNKNOWN if job.rate is None else f"{job.rate:.1f}",
        UNKNOWN if job.seconds_left is None else duration(job.seconds_left),
    )


def _efficiency(options: argparse.Namespace) -> int:
    from underpainting_workflow.usage import efficiency

    now = record.now()
    records = [one for one in record.read_all(options.studies) if one.state(now) is not State.RUNNING]
    if not records:
        print("no job has written a usage record to logs/: run the workflow first")
        return 0
    table = efficiency.table(records, "job" if options.jobs else "rule")
    for line in _lines(table):
        print(line)
    busy, occupied = sum(one.busy_seconds for one in records), efficiency.occupied_seconds(records)
    ratio = f": {occupied / busy:.2f} s for each" if busy else ""
    print(f"{occupied:.1f} s with a job running, {busy:.1f} s in network calls and training steps{ratio}")
    if options.csv:
        table.to_csv(options.csv, index=False, lineterminator="\n")
    remarks = [f"{one.job}: {', '.join(words)}" for one in records if (words := efficiency.excess(one))]
    remarks += [f"{one.job}: {_outcome(one)}" for one in records if one.reported is not State.DONE]
    for text in remarks:
        print(text)
    return int(bool(remarks))


def _lines(table: pd.DataFrame) -> list[str]:
    cells = [[UNKNOWN if isnan(value) else form(value) for value in table[name]] for name, (_, form) in COLUMNS.items()]
    headings = ["", *(heading for heading, _ in COLUMNS.values())]
    return project.columns([headings, *zip(table.iloc[:, 0], *cells, strict=True)])


def _outcome(one: Record) -> str:
    failed = one.reported is State.FAILED
    return "failed, see its log" if failed else f"lost, last report at {one.updated[:19]} UTC"


def duration(seconds: float) -> str:
    """Format a time for reading: 4.2 s, 3:05, 2:14:00."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    text = str(timedelta(seconds=round(seconds)))
    return text.removeprefix("0:").removeprefix("0") if text.startswith("0:") else text


COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "jobs": ("jobs", "{:.0f}".format),
    "startup_seconds": ("start-up", "{:.1f} s".format),
    "wall_seconds": ("wall sum", duration),
    "longest_seconds": ("longest", duration),
    "requested_seconds": ("requested", duration),
    "memory_mb": ("MB", "{:.0f}".format),
    "requested_mb": ("requested", "{:.0f}".format),
    "cpu_efficiency": ("CPU", "{:.0%}".format),
    "calls": ("calls", "{:.0f}".format),
    "evaluations": ("evaluations", "{:.0f}".format),
    "evaluations_per_second": ("evaluations/s", "{:.1f}".format),
    "busy": ("busy", "{:.0%}".format),
}
"""Heading and format of each column of `efficiency.table`."""
