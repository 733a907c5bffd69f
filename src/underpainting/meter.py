"""Counts the network calls and training steps of this process, for progress reports; no result depends on it.

The counts are process-wide, since a job is a process. A call costs two readings of the clock, about a microsecond.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


@dataclass
class Work:
    """Work that a job has done, and work that it has planned.

    Attributes:
        calls: number of network calls.
        evaluations: network evaluations of one image each: the sum of the batch sizes of these calls.
        network_seconds: spent within them.
        steps: number of training steps.
        training_seconds: spent within them.
        evaluations_planned, steps_planned: of the complete job; None where nothing was planned.
        working_seconds: since the first call or step began.
    """

    calls: int = 0
    evaluations: int = 0
    network_seconds: float = 0.0
    steps: int = 0
    training_seconds: float = 0.0
    evaluations_planned: int | None = None
    steps_planned: int | None = None
    working_seconds: float = 0.0


_work = Work()
_began: float | None = None


def reset() -> None:
    """Count from zero, at the start of a job."""
    global _work, _began
    _work, _began = Work(), None


def reading() -> Work:
    """Return a copy of the counts; safe in another thread."""
    return replace(_work, working_seconds=0.0 if _began is None else time.perf_counter() - _began)


def plan(evaluations: int = 0, steps: int = 0) -> None:
    """Add to the planned work of this job, for progress reports.

    Args:
        evaluations: network calls times images of each.
        steps: number of training steps.
    """
    if evaluations:
        _work.evaluations_planned = (_work.evaluations_planned or 0) + evaluations
    if steps:
        _work.steps_planned = (_work.steps_planned or 0) + steps


@contextmanager
def network_call(images: int, calls: int = 1) -> Iterator[None]:
    """Count a network call on a batch of images, or several on the same, if they succeed, and the time in any case.

    The time includes that of a GPU only if the result is brought to the CPU within the context.
    """
    begin = _start()
    try:
        yield
        _work.calls += calls
        _work.evaluations += calls * images
    finally:
        _work.network_seconds += time.perf_counter() - begin


@contextmanager
def training_step() -> Iterator[None]:
    """Count a training step and its time: data, forward, backward, update."""
    begin = _start()
    try:
        yield
        _work.steps += 1
    finally:
        _work.training_seconds += time.perf_counter() - begin


def _start() -> float:
    global _began
    now = time.perf_counter()
    if _began is None:
        _began = now
    return now
