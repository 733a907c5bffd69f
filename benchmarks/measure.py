"""Ratios, those of durations measured in turn so that a drifting machine hurts both sides alike."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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


HEADER = ("what", "against", "ratio", "min - max", "ours", "reference", "goal")
USUAL_WIDTHS = (80, 40, 8, 19, 12, 12, 12)  # of columns that are printed before all rows are known


def _cells(result: Ratio) -> tuple[str, ...]:
    return (
        result.name,
        result.peer,
        f"{result.value:.4f}",
        f"{result.low:.4f} - {result.high:.4f}",
        f"{result.ours:.4f} {result.unit}".strip(),
        f"{result.reference:.4f} {result.unit}".strip(),
        result.goal,
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def table(results: Iterable[Ratio]) -> str:
    """The results as an aligned table in Markdown."""
    rows = [HEADER, *map(_cells, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_line(row, widths) for row in rows)


def print_each(benchmarks: Mapping[str, Callable[[], Iterable[Ratio]]]) -> None:
    """Print a table in Markdown, each row as soon as it is measured.

    Args:
        benchmarks: what makes rows, by what standard error says meanwhile.
    """
    for row in (HEADER, tuple("-" * width for width in USUAL_WIDTHS)):
        print(_line(row, USUAL_WIDTHS), flush=True)
    for number, (name, rows) in enumerate(benchmarks.items(), 1):
        print(f"measuring {name}, {number} of {len(benchmarks)}", file=sys.stderr, flush=True)
        for result in rows():
            print(_line(_cells(result), USUAL_WIDTHS), flush=True)
