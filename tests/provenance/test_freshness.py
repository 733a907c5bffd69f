"""Which results are fresh: a chain source -> middle -> end, checked against facts and hashes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from snakemake_provenance.facts import Fact
from snakemake_provenance.freshness import Checker, FileStatus, State

SOURCE, MIDDLE, END = "{data}/source", "results/a/middle", "results/a/end"
MADE = Fact(MIDDLE, "m", 1, {}, {SOURCE: "s"}, {})
ENDED = Fact(END, "e", 1, {}, {MIDDLE: "m"}, {})
NEWER = Fact(MIDDLE, "m2", 1, {}, {SOURCE: "s2"}, {})


def checked(disk: Mapping[str, str], *facts: Fact) -> dict[str, FileStatus]:
    known: dict[str, list[Fact]] = {}
    for fact in facts:
        known.setdefault(fact.path, []).append(fact)
    checker = Checker(lambda path: known.get(path, []), disk.get, lambda path: path.replace("{data}", "here"))
    paths = {*known, *(path for path in disk if path.startswith("results/"))}
    return {status.path: status for status in checker.all(paths)}


@pytest.mark.parametrize(
    ("disk", "middle", "end"),
    [
        ({"here/source": "s", MIDDLE: "m", END: "e"}, State.FRESH, State.FRESH),
        ({"here/source": "other", MIDDLE: "m", END: "e"}, State.STALE, State.FRESH),
        ({"here/source": "s", MIDDLE: "altered", END: "e"}, State.UNKNOWN, State.STALE),
        ({"here/source": "s", MIDDLE: "m", END: "altered"}, State.FRESH, State.UNKNOWN),
        ({"here/source": "s", END: "e"}, State.ABSENT, State.FRESH),
        ({"here/source": "other", END: "e"}, State.STALE, State.STALE),
        ({MIDDLE: "m", END: "e"}, State.FRESH, State.FRESH),
        ({"here/source": "s", MIDDLE: "m"}, State.FRESH, State.ABSENT),
    ],
)
def test_a_chain(disk: Mapping[str, str], middle: State, end: State) -> None:
    found = checked(disk, MADE, ENDED)
    assert (found[MIDDLE].state, found[END].state) == (middle, end)
    assert all(status.reasons for status in found.values() if status.state in (State.STALE, State.UNKNOWN))


def test_inputs_are_judged_before_what_is_made_of_them() -> None:
    assert list(checked({"here/source": "s", MIDDLE: "m", END: "e"}, ENDED, MADE)) == [MIDDLE, END]


def test_of_two_facts_the_one_that_fits_the_inputs_speaks() -> None:
    same_bytes = Fact(MIDDLE, "m", 1, {}, {SOURCE: "s2"}, {})
    found = checked({"here/source": "s2", MIDDLE: "m"}, MADE, same_bytes)
    assert found[MIDDLE] == FileStatus(MIDDLE, State.FRESH, same_bytes)


def test_after_a_merge_the_bytes_tell_which_side_holds() -> None:
    ended = Fact(END, "e2", 1, {}, {MIDDLE: "m2"}, {})
    found = checked({"here/source": "s", MIDDLE: "m", END: "e2"}, MADE, NEWER, ENDED, ended)
    assert found[MIDDLE].fact == MADE
    assert found[END].state is State.STALE
    assert found[END].reasons == (f"{MIDDLE} is not what it was made from",)


def test_an_absent_input_recorded_otherwise_makes_stale() -> None:
    ended = Fact(END, "e2", 1, {}, {MIDDLE: "m2"}, {})
    assert checked({"here/source": "s", END: "e2"}, MADE, ended)[END].state is State.STALE


def test_facts_in_a_circle_end() -> None:
    one, other = Fact(MIDDLE, "m", 1, {}, {END: "e"}, {}), Fact(END, "e", 1, {}, {MIDDLE: "m"}, {})
    assert checked({}, one, other)[MIDDLE].state is State.STALE
