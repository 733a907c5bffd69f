"""What the operating system knows of a process: its age, processor time and memory. Linux's /proc where it is there."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

_STATE, _START = 0, 19  # places in /proc/PID/stat, counted after the name
_KIB = 1024


def born(process: int | str = "self") -> int | None:
    """When a living process started, in clock ticks since the start of the machine; None if it is dead or unknown.

    A number may be given to another process after a death; number and start together are one process's alone.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if fields[_STATE] in "ZX" else int(fields[_START])  # Z, X: dead, not yet cleared away
    except (OSError, ValueError, IndexError):
        return None


def age() -> float | None:
    """Seconds since this process started; None where that is not known."""
    ticks = born()
    if ticks is None:
        return None
    return max(time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"), 0.0)


def cpu_seconds() -> float:
    """Processor time, user and system, of this process and of its children that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def peak_memory() -> float:
    """Largest resident memory so far of this process or of one of its ended children, in MiB.

    A process takes over `ru_maxrss` from the one that started it, here Snakemake, which may be larger than the job. So
    the kernel's own mark of this program's memory comes first. Children take it over from this process, which is harmless.
    """
    unit = _KIB**2 if sys.platform == "darwin" else _KIB
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    own = _high_water()
    return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit if own is None else own)


def _high_water() -> float | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / _KIB for line in lines if line.startswith("VmHWM:"))
    except (OSError, ValueError, StopIteration):
        return None
