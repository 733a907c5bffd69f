"""Commands that watch: `progress` of a run, `efficiency` of its jobs."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path

from snakemake_provenance.plan import plan
from underpainting_workflow.cli import project
from underpainting_workflow.watching import efficiency, record
from underpainting_workflow.watching.efficiency import Total, Use
from underpainting_workflow.watching.progress import Pace, Progress, progress
from underpainting_workflow.watching.record import Record, State

UNKNOWN = "-"


def register(commands: project.Commands) -> None:
    """Add the commands."""
    command = project.add(
        commands, "progress", _progress, "jobs done, running, lost and to come; images, NFE/s, time left"
    )
    project.take_studies(command)
    text = "ask Snakemake what is to come, which takes seconds; done anyway if no job runs"
    command.add_argument("--plan", action="store_true", help=text)
    text = "what jobs used of what they asked for, and where their time went"
    command = project.add(commands, "efficiency", _efficiency, text)
    project.take_studies(command)
    command.add_argument("--jobs", action="store_true", help="a line per job, not per rule")
    command.add_argument("--csv", type=Path, metavar="FILE", help="write the table there, too, with all its digits")


def _progress(options: argparse.Namespace) -> int:
    records, now = record.read_all(options.studies), record.now()
    idle = not any(one.state(now) is State.RUNNING for one in records)
    jobs = plan(options.studies) if options.plan or idle else None
    found = progress(records, record.now(), jobs)
    for line in _standing(found):
        print(line)
    return int(bool(found.failed or found.lost))


def _standing(found: Progress) -> list[str]:
    to_come = "? (--plan asks)" if found.to_come is None else str(found.to_come)
    counts = f"{found.done} done, {len(found.running)} running, {found.failed} failed, {found.lost} lost"
    lines = [f"jobs: {counts}, {to_come} to come"]
    if found.running:
        head = ("running", "done", "per second", "time left")
        lines += table([head, *map(_pace, found.running)])
    if found.images_planned:
        share = found.images_done / found.images_planned
        text = f"NFE of the jobs begun: {found.images_done} of {found.images_planned} ({share:.0%})"
        lines.append(text + (f", {found.rate:.0f} per second now" if found.rate else ""))
    if found.left is not None:
        beyond = f", and {found.unknown} jobs of rules that never ran" if found.unknown else ""
        lines.append(f"time left: about {duration(found.left)}{beyond}")
    return lines


def _pace(one: Pace) -> tuple[str, ...]:
    planned = "?" if one.planned is None else str(one.planned)
    done = f"{one.done} of {planned} {one.unit}" if one.unit else UNKNOWN
    return one.job, done, _number(one.rate, "{:.1f}"), UNKNOWN if one.left is None else duration(one.left)


def _efficiency(options: argparse.Namespace) -> int:
    records = efficiency.ended(record.read_all(options.studies), record.now())
    if not records:
        print("no job has left a record of its use in logs/: run the workflow first")
        return 0
    lines = efficiency.by_job(records) if options.jobs else efficiency.by_rule(records)
    for line in table([HEAD, *map(_use, lines)]):
        print(line)
    print(_total(efficiency.total(records)))
    if options.csv:
        _write(options.csv, lines)
    beyond = [f"{one.job}: {', '.join(words)}" for one in records if (words := efficiency.excess(one))]
    beyond += [f"{one.job}: {_outcome(one)}" for one in records if one.told is not State.DONE]
    for text in beyond:
        print(text)
    return int(bool(beyond))


def _outcome(one: Record) -> str:
    return "failed, see its log" if one.told is State.FAILED else "lost, told last at " + one.written[:19] + " UTC"


HEAD = ("", "jobs", "start-up", "wall sum", "longest", "asked", "MB", "asked", "cpu", "calls", "NFE", "NFE/s", "busy")


def _use(line: Use) -> tuple[str, ...]:
    return (
        line.name,
        str(line.jobs),
        _number(line.startup_seconds, "{:.1f} s"),
        duration(line.wall_seconds),
        duration(line.longest_seconds),
        UNKNOWN if line.wall_requested_seconds is None else duration(line.wall_requested_seconds),
        f"{line.memory_mb:.0f}",
        _number(line.memory_requested_mb, "{:.0f}"),
        f"{line.cpu_efficiency:.0%}",
        str(line.calls or UNKNOWN),
        str(line.nfe or UNKNOWN),
        _number(line.nfe_per_second, "{:.1f}"),
        f"{line.busy:.0%}",
    )


def _total(found: Total) -> str:
    ratio = "" if found.ratio is None else f": {found.ratio:.2f} s of wall clock for each"
    spans = (
        f"{found.wall_seconds:.1f} s from first start to last end ({found.occupied_seconds:.1f} s with a job running)"
    )
    return f"{found.jobs} jobs, {spans}, {found.busy_seconds:.1f} s in network calls and training steps{ratio}"


def _write(file: Path, lines: Iterable[Use]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Use)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in lines)


def duration(seconds: float) -> str:
    """Time as a person reads it: 4.2 s, 3:05, 2:14:00."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    text = str(timedelta(seconds=round(seconds)))
    return text.removeprefix("0:").removeprefix("0") if text.startswith("0:") else text


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else form.format(value)
