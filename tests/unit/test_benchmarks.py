"""The table of benchmarks: each row is printed as soon as it is measured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.measure import Ratio, print_each, table


def row(name: str) -> Ratio:
    return Ratio(name, "peer", 0.5, 0.4, 0.6, 1.0, 2.0, "below 1")


def test_each_row_is_printed_before_the_next_one_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def measured() -> Iterator[Ratio]:
        yield row("first")
        shown = capsys.readouterr()
        assert shown.out.splitlines()[-1].startswith("| first ") and "what" in shown.out
        assert shown.err == "measuring something slow, 1 of 2\n"
        yield row("second")

    print_each({"something slow": measured, "something else": lambda: [row("third")]})
    rest = capsys.readouterr()
    assert [line.split()[1] for line in rest.out.splitlines()] == ["second", "third"]
    assert rest.err == "measuring something else, 2 of 2\n"


def test_a_table_that_is_printed_at_once_is_aligned() -> None:
    lines = table(iter([row("a"), row("a longer name")])).splitlines()
    assert len({len(line) for line in lines}) == 1 and len(lines) == 4
