"""The record of a job: what it asked for, what it uses, how far it is. JSON beside its log, `NAME.use.json`."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from underpainting.io.writing import write_atomically
from underpainting_workflow.watching import process

LOGS = Path("logs")
SUFFIX = ".use.json"
BEAT = 5.0
"""Seconds between two writings of a running job."""
SILENCE = timedelta(seconds=90)
"""After which a job on another machine is lost: shared file systems show a file up to a minute late."""


class State(StrEnum):
    """How a job stands; none writes `lost` of itself."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class Request:
    """What a job asked for; None for what it left open.

    Attributes:
        threads: number of them.
        mem_mb: memory, in MB as Slurm counts them (2^20 bytes).
        runtime: in minutes.
    """

    threads: int
    mem_mb: float | None = None
    runtime: float | None = None


@dataclass(frozen=True)
class Activity:
    """What a job has done with networks; see `meter.Work`. `working_seconds` is since the first call or step."""

    calls: int
    images: int
    network_seconds: float
    steps: int
    training_seconds: float
    images_planned: int | None
    steps_planned: int | None
    working_seconds: float


@dataclass(frozen=True)
class Record:
    """A job, as it told last.

    Attributes:
        rule, job: names; a job has that of its first output.
        told: RUNNING, DONE or FAILED.
        host, pid, born: the process; see `process.born`.
        started, written: of the process, and of this record; UTC, ISO 8601.
        startup_seconds: from the start of the process until its job began: the interpreter and imports; None if unknown.
        wall_seconds: since the start of the process, or of the job where that is unknown.
        cpu_seconds: processor time, children included.
        memory_mb: peak, in MB (2^20 bytes).
        slurm: number of the Slurm job, if it was in one.
    """

    rule: str
    job: str
    told: State
    host: str
    pid: int
    born: int | None
    started: str
    written: str
    startup_seconds: float | None
    wall_seconds: float
    cpu_seconds: float
    memory_mb: float
    requested: Request
    work: Activity
    slurm: str | None = None

    def state(self, now: datetime) -> State:
        """What has become of the job: one that said it was running may have been killed.

        On this machine the process itself tells; of another the time since it last wrote.
        """
        if self.told is not State.RUNNING:
            return self.told
        if self.host == platform.node() and self.born is not None:
            alive = process.born(self.pid) == self.born
        else:
            alive = now - datetime.fromisoformat(self.written) < SILENCE
        return State.RUNNING if alive else State.LOST

    @property
    def begin(self) -> datetime:
        """Start of the process."""
        return datetime.fromisoformat(self.started)

    @property
    def end(self) -> datetime:
        """Its end, or when it last wrote."""
        return self.begin + timedelta(seconds=self.wall_seconds)

    @property
    def busy_seconds(self) -> float:
        """Within networks and training steps."""
        return self.work.network_seconds + self.work.training_seconds


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def file_of(log: str | Path) -> Path:
    """The record that belongs to a log."""
    return Path(log).with_suffix(SUFFIX)


def write(record: Record, file: Path) -> None:
    """Write a record; a reader sees the old one or the new."""
    write_atomically(file, json.dumps(asdict(record), indent=1) + "\n")


def read(file: Path) -> Record | None:
    """A record; None if the file holds none, or one of another version."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        content["requested"], content["work"] = Request(**content["requested"]), Activity(**content["work"])
        return Record(**{**content, "told": State(content["told"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def read_all(studies: Sequence[str] = (), logs: Path = LOGS) -> list[Record]:
    """Every record of some studies, or of all, by the time of their start."""
    folders = [logs / study for study in studies] or [logs]
    found = (read(file) for folder in folders for file in _files(folder))
    return sorted((record for record in found if record), key=lambda record: (record.started, record.job))


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob(f"*{SUFFIX}") if not file.name.startswith("."))
