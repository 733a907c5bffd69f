"""Counts what this process asks of networks, for `watching`; nothing is computed from it.

Process-wide, since a job is a process. Two readings of the clock per call: about a microsecond beside milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


@dataclass
class Work:
    """Work done, and work that a job will do.

    Attributes:
        calls: of networks.
        images: sum of the batch sizes of these calls, the NFE over all images.
        network_seconds: spent within them.
        steps: of trainings.
        training_seconds: spent within them.
        images_planned, steps_planned: of the whole job; None where nobody said.
        began: when the first call or step began, by `time.perf_counter`; None before.
    """

    calls: int = 0
    images: int = 0
    network_seconds: float = 0.0
    steps: int = 0
    training_seconds: float = 0.0
    images_planned: int | None = None
    steps_planned: int | None = None
    began: float | None = None


_work = Work()


def reset() -> None:
    """Count from zero: at the start of a job."""
    global _work
    _work = Work()


def reading() -> Work:
    """A copy of the counts; safe in another thread."""
    return replace(_work)


def plan(images: int = 0, steps: int = 0) -> None:
    """Say how much this job is going to do, for its progress; several plans add up.

    Args:
        images: network calls times images of each.
        steps: of a training.
    """
    if images:
        _work.images_planned = (_work.images_planned or 0) + images
    if steps:
        _work.steps_planned = (_work.steps_planned or 0) + steps


@contextmanager
def network_call(images: int) -> Iterator[None]:
    """Count a call of a network on a batch of images, if it succeeds, and its time in any case.

    A GPU is waited for only if the result is brought to the CPU within.
    """
    begin = _start()
    try:
        yield
        _work.calls += 1
        _work.images += images
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
    now = time.perf_counter()
    if _work.began is None:
        _work.began = now
    return now
