"""A job records itself: at its start, every few seconds, and at its end, whichever that is.

It must never disturb the job. What goes wrong here is passed over, and nothing here is waited for longer than a moment.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from underpainting import meter
from underpainting_workflow.watching import process, record
from underpainting_workflow.watching.record import Activity, Record, Request, State

if TYPE_CHECKING:
    from snakemake.script import Snakemake

log = logging.getLogger(__name__)

_PATIENCE = 2.0  # seconds that the end of a job waits for a file system that hangs


@contextmanager
def recorded(task: Snakemake, beat: float = record.BEAT) -> Iterator[None]:
    """Record a job while it runs and when it ends, and close its log with the main figures.

    Args:
        task: what Snakemake gives to a script.
        beat: seconds between two writings.
    """
    meter.reset()
    recorder = Recorder(task)
    recorder.write(State.RUNNING)
    stop = threading.Event()
    threading.Thread(target=_beat, args=(recorder, stop, beat), name="record of use", daemon=True).start()
    state = State.FAILED
    try:
        yield
        state = State.DONE
    finally:
        stop.set()
        recorder.write(state)
        log.info("%s", summary(recorder.look(state)))


def _beat(recorder: Recorder, stop: threading.Event, beat: float) -> None:
    while not stop.wait(beat):
        recorder.write(State.RUNNING)


class Recorder:
    """Looks at this process and writes its record.

    Args:
        task: the job; made when it begins.
    """

    def __init__(self, task: Snakemake) -> None:
        self._entered = time.perf_counter()
        self._startup = process.age()
        self._began = record.now() - timedelta(seconds=self._startup or 0.0)
        self._born = process.born()
        self._file = record.file_of(task.log[0])
        self._rule = str(getattr(task, "rule", self._file.name.removesuffix(record.SUFFIX)))
        self._job = str(next(iter(task.output), self._rule))
        self._requested = requested(task)
        self._turn, self._ended = threading.Lock(), False

    def look(self, state: State) -> Record:
        """The record at this moment."""
        return Record(
            rule=self._rule,
            job=self._job,
            told=state,
            host=platform.node(),
            pid=os.getpid(),
            born=self._born,
            started=self._began.isoformat(timespec="milliseconds"),
            written=record.now().isoformat(timespec="milliseconds"),
            startup_seconds=None if self._startup is None else round(self._startup, 3),
            wall_seconds=round((self._startup or 0.0) + time.perf_counter() - self._entered, 3),
            cpu_seconds=round(process.cpu_seconds(), 3),
            memory_mb=round(process.peak_memory(), 1),
            requested=self._requested,
            work=activity(meter.reading()),
            slurm=os.environ.get("SLURM_JOB_ID"),
        )

    def write(self, state: State) -> None:
        """Write the record; after an end, nothing more. Gives up rather than disturb the job."""
        if not self._turn.acquire(timeout=_PATIENCE):
            return
        try:
            if not self._ended:
                self._ended = state is not State.RUNNING
                record.write(self.look(state), self._file)
        except Exception as error:  # a full disk, say: the job's own writing will tell
            log.debug("no record of use in %s: %s", self._file, error)
        finally:
            self._turn.release()


def requested(task: Snakemake) -> Request:
    """What a job asked for."""
    resources = getattr(task, "resources", None)

    def amount(name: str) -> float | None:
        value = getattr(resources, name, None)
        return value if isinstance(value, int | float) and value > 0 else None

    return Request(int(getattr(task, "threads", 1)), amount("mem_mb"), amount("runtime"))


def activity(work: meter.Work) -> Activity:
    """Counts of the meter as they are recorded."""
    counts = {key: value for key, value in asdict(work).items() if key != "began"}
    counts |= {key: round(counts[key], 3) for key in ("network_seconds", "training_seconds")}
    working = 0.0 if work.began is None else time.perf_counter() - work.began
    return Activity(**counts, working_seconds=round(working, 3))


def summary(found: Record) -> str:
    """The main figures of a job in one line."""
    asked, work = found.requested, found.work
    parts = [f"used {found.wall_seconds:.1f} s"]
    parts[0] += f" of {asked.runtime:g} min" if asked.runtime else ""
    if found.startup_seconds is not None:
        parts.append(f"start-up {found.startup_seconds:.1f} s")
    parts.append(f"processor {found.cpu_seconds:.1f} s on {asked.threads} threads")
    parts.append(f"memory {found.memory_mb:.0f} MB" + (f" of {asked.mem_mb:g} MB" if asked.mem_mb else ""))
    if work.calls:
        parts.append(f"{work.calls} network calls, NFE {work.images} in {work.network_seconds:.1f} s")
    if work.steps:
        parts.append(f"{work.steps} training steps in {work.training_seconds:.1f} s")
    return "; ".join(parts)
