"""The usage record of a job: requested and used resources, and progress, as JSON beside its log, `NAME.use.json`."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import psutil

from underpainting.io.writing import write_atomically
from underpainting.meter import Work

LOGS = Path("logs")
SUFFIX = ".use.json"
INTERVAL = 5.0
"""Seconds between two updates of the record of a running job."""
TIMEOUT = timedelta(seconds=90)
"""Seconds without an update after which a job on another machine is lost; shared file systems lag up to a minute."""
_CLOCK_CHANGE = 2.0  # seconds by which a correction of the clock may move the creation time of a process


class State(StrEnum):
    """The state of a job; LOST and PENDING are never recorded, only inferred."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class Record:
    """The latest report of a job.

    Attributes:
        rule, job: names; a job has that of its first output.
        reported: RUNNING, DONE or FAILED.
        host, pid, created: the process; `created` is its creation time, seconds since the epoch.
        updated: time of this report; UTC, ISO 8601.
        startup_seconds: from the creation of the process until the job began: the interpreter and imports.
        wall_seconds: since the creation of the process.
        cpu_seconds: processor time, ended children included.
        memory_mb: peak resident memory, MB of 2^20 bytes as Slurm counts them; without what is shared with the job server.
        threads, requested_mb, requested_minutes: requests of the job; None where it set no limit.
        work: network calls and training steps, done and planned.
        slurm: number of the Slurm job, if it runs in one.
    """

    rule: str
    job: str
    reported: State
    host: str
    pid: int
    created: float
    updated: str
    startup_seconds: float
    wall_seconds: float
    cpu_seconds: float
    memory_mb: float
    threads: int
    requested_mb: float | None
    requested_minutes: float | None
    work: Work
    slurm: str | None = None

    def state(self, now: datetime) -> State:
        """Return the state at a time; a job that reported to be running may have been killed since.

        On this machine the process is looked up; on another one the age of the report decides.
        """
        if self.reported is not State.RUNNING:
            return self.reported
        alive = _alive(self.pid, self.created) if self.host == platform.node() else now - self.end < TIMEOUT
        return State.RUNNING if alive else State.LOST

    @property
    def begin(self) -> datetime:
        """Time at which the process was created."""
        return self.end - timedelta(seconds=self.wall_seconds)

    @property
    def end(self) -> datetime:
        """Time at which the job ended or last reported."""
        return datetime.fromisoformat(self.updated)

    @property
    def busy_seconds(self) -> float:
        """Seconds within network calls and training steps."""
        return self.work.network_seconds + self.work.training_seconds


def _alive(pid: int, created: float) -> bool:
    """Return whether a process still runs, by number and creation time, as the system reuses numbers."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < _CLOCK_CHANGE and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def file_of(log: str | Path) -> Path:
    """Return the file of the record that belongs to a log."""
    return Path(log).with_suffix(SUFFIX)


def write(record: Record, file: Path) -> None:
    """Write a record; a reader sees the old one or the new one."""
    write_atomically(file, json.dumps(asdict(record), indent=1) + "\n")


def read(file: Path) -> Record | None:
    """Read a record; None if the file holds none, or one of another version."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Record(**{**content, "reported": State(content["reported"]), "work": Work(**content["work"])})
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def read_all(studies: Sequence[str] = (), logs: Path = LOGS) -> list[Record]:
    """Read every record of some studies, or of all, ordered by the time at which the jobs began."""
    folders = [logs / study for study in studies] or [logs]
    files = (file for folder in folders for file in folder.rglob(f"*{SUFFIX}") if not file.name.startswith("."))
    return sorted((record for record in map(read, files) if record), key=lambda record: (record.begin, record.job))
