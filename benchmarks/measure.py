"""Ratios, those of durations measured in turn so that a drifting machine hurts both sides alike."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

Action = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """How long `ours` takes relative to `peer`.

    Attributes:
        name: what is measured.
        peer: what it is measured against.
        value: median of the ratios of pairs.
        low, high: smallest and largest ratio.
        ours, reference: medians.
        goal: what the ratio should be, in words.
        unit: of `ours` and `reference`; seconds for a duration.
    """

    name: str
    peer: str
    value: float
    low: float
    high: float
    ours: float
    reference: float
    goal: str
    unit: str = "s"


def seconds(action: Action) -> float:
    """Duration of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def processor_seconds(action: Action) -> float:
    """Processor time of the processes that one call starts and waits for; others on the machine hardly change it."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    start = used()
    action()
    return used() - start


def ratio(
    name: str,
    ours: Action,
    peer: str,
    reference: Action,
    goal: str,
    pairs: int = 9,
    scale: float = 1.0,
    clock: Callable[[Action], float] = seconds,
) -> Ratio:
    """Run both in turn, `pairs` times after one warm-up.

    Args:
        name: what is measured.
        ours: the action measured.
        peer: name of the reference.
        reference: the action to compare with.
        goal: what the ratio should be, in words.
        pairs: number of pairs.
        scale: how many references one of `ours` is compared with.
        clock: measures one call.
    """
    ours(), reference()
    runs = [(clock(ours), clock(reference) * scale) for _ in range(pairs)]
    ratios = sorted(mine / theirs for mine, theirs in runs)
    mine, theirs = (median(column) for column in zip(*runs, strict=True))
    return Ratio(name, peer, median(ratios), ratios[0], ratios[-1], mine, theirs, goal)


def table(results: list[Ratio]) -> str:
    """The results as an aligned table in Markdown."""
    header = ("what", "against", "ratio", "min - max", "ours", "reference", "goal")
    rows = [
        (
            result.name,
            result.peer,
            f"{result.value:.4f}",
            f"{result.low:.4f} - {result.high:.4f}",
            f"{result.ours:.4f} {result.unit}".strip(),
            f"{result.reference:.4f} {result.unit}".strip(),
            result.goal,
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)
