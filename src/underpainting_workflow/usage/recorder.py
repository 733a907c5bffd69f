"""Record a job while it runs, without disturbing it: errors are ignored, and slow writes are not waited for."""

from __future__ import annotations

import logging
import os
import platform
import re
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from underpainting import meter
from underpainting_workflow.usage import record
from underpainting_workflow.usage.record import Record, State

if TYPE_CHECKING:
    from snakemake.script import Snakemake

log = logging.getLogger(__name__)

_JOIN_TIMEOUT = 2.0  # seconds that the end of a job waits for a file system that hangs
_KIB = 1024
_INHERITED = "FORK_SERVER_BYTES"  # as `fork_server`, whose import would take time, calls it


@contextmanager
def recorded(task: Snakemake, interval: float = record.INTERVAL) -> Iterator[None]:
    """Record a job while it runs and when it ends, and log a summary at the end.

    Args:
        task: Snakemake's object in a script.
        interval: seconds between two updates.
    """
    meter.reset()
    report, stop = partial(_report, task, process_age(), time.perf_counter()), threading.Event()
    heartbeat = threading.Thread(target=_repeat, args=(report, stop, interval), name="usage record", daemon=True)
    heartbeat.start()
    state = State.FAILED
    try:
        yield
        state = State.DONE
    finally:
        stop.set()
        heartbeat.join(_JOIN_TIMEOUT)
        if not heartbeat.is_alive() and (found := report(state)):
            log.info("%s", summary(found))


def _repeat(report: Callable[[State], object], stop: threading.Event, interval: float) -> None:
    report(State.RUNNING)
    while not stop.wait(interval):
        report(State.RUNNING)


def _report(task: Snakemake, startup: float, began: float, state: State) -> Record | None:
    """Write and return the current record; None if it cannot be written."""
    try:
        found = Record(
            rule=task.rule,
            job=str(task.output[0]),
            reported=state,
            host=platform.node(),
            pid=os.getpid(),
            created=psutil.Process().create_time(),
            updated=record.now().isoformat(timespec="milliseconds"),
            startup_seconds=startup,
            wall_seconds=startup + time.perf_counter() - began,
            cpu_seconds=sum(os.times()[:4]),  # user and system, of this process and of its ended children
            memory_mb=peak_memory(),
            threads=task.threads,
            requested_mb=_requested(task, "mem_mb"),
            requested_minutes=_requested(task, "runtime"),
            work=meter.reading(),
            slurm=os.environ.get("SLURM_JOB_ID"),
        )
        record.write(found, record.file_of(task.log[0]))
    except Exception as error:  # such as a full disk, which the job's own writing will report
        log.debug("no usage record beside %s: %s", task.log, error)
        return None
    return found


def _requested(task: Snakemake, name: str) -> float | None:
    value = getattr(task.resources, name, None)
    return value if isinstance(value, int | float) and value > 0 else None


def process_age() -> float:
    """Return the seconds since this process was created; 0 where that is not known."""
    try:
        created = psutil.Process().create_time()
        if hasattr(time, "CLOCK_BOOTTIME"):  # Linux, where the time of boot is known to a second only
            return time.clock_gettime(time.CLOCK_BOOTTIME) - (created - psutil.boot_time())
        return time.time() - created
    except (psutil.Error, OSError):
        return 0.0


def peak_memory() -> float:
    """Return the peak resident memory of this process or of one of its ended children, MB of 2^20 bytes.

    A process inherits `ru_maxrss` from its parent, here Snakemake, but not Linux's VmHWM. What a fork of the job server has from
    it is left out: pages that both share, and that hold the packages which a job of its own process would have to import.
    """
    unit = _KIB**2 if sys.platform == "darwin" else _KIB
    own, children = (
        resource.getrusage(who).ru_maxrss / unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))):
        own = int(found[1]) / _KIB - int(os.environ.get(_INHERITED, 0)) / _KIB**2
    return max(own, children)


def summary(found: Record) -> str:
    """Summarise a record in one line."""
    work = found.work
    minutes = f" of {found.requested_minutes:g} min" if found.requested_minutes else ""
    memory = f" of {found.requested_mb:g} MB" if found.requested_mb else ""
    text = f"used {found.wall_seconds:.1f} s{minutes}; start-up {found.startup_seconds:.1f} s"
    text += f"; processor {found.cpu_seconds:.1f} s on {found.threads} threads; memory {found.memory_mb:.0f} MB{memory}"
    if work.calls:
        text += f"; {work.calls} network calls, {work.evaluations} evaluations in {work.network_seconds:.1f} s"
    if work.steps:
        text += f"; {work.steps} training steps in {work.training_seconds:.1f} s"
    return text
