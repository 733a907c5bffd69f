"""Facts as text, manifests as sets of facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemake_provenance import manifest
from snakemake_provenance.facts import Fact, NotAFactError


def fact(path: str = "results/a/x", content: str = "1", **inputs: str) -> Fact:
    return Fact(path, content * 64, 3, {"at": "2026-01-01T00:00:00+00:00"}, inputs, {"rule": "r", "params": ["'p'"]})


text = st.text(max_size=12)
paths = st.text(st.characters(exclude_characters="\0"), max_size=12)
facts = st.builds(
    Fact,
    path=text,
    sha256=text,
    size=st.integers(0),
    made=st.dictionaries(text, text),
    inputs=st.dictionaries(paths, text),
    record=st.dictionaries(text, st.lists(text)),
)


@given(facts)
def test_a_fact_survives_being_written(one: Fact) -> None:
    assert Fact.read(one.line()) == one
    assert "\n" not in one.line()


@given(facts, st.sampled_from(["path", "sha256", "size", "made", "inputs", "record"]))
def test_an_edit_by_hand_is_noticed(one: Fact, key: str) -> None:
    content = json.loads(one.line())
    content[key] = {"other": "value"} if isinstance(content[key], dict) else f"{content[key]}0"
    with pytest.raises(NotAFactError):
        Fact.read(json.dumps(content))


@pytest.mark.parametrize("line", ["", "[]", "{}", "null", "7", '{"path": "x", "check": "y"}'])
def test_what_is_no_fact_is_refused(line: str) -> None:
    with pytest.raises(NotAFactError):
        Fact.read(line)


def test_both_sides_of_a_conflict_count(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    sides = ["<<<<<<< HEAD", fact(content="1").line(), "=======", fact(content="2").line(), ">>>>>>> theirs"]
    file.write_text("\n".join(sides))
    found = manifest.read(file)
    assert [one.sha256[0] for one in found.facts["results/a/x"]] == ["1", "2"]
    assert not found.problems


def test_a_line_that_does_not_count_is_told_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(fact().line().replace('"size": 3', '"size": 4') + "\n")
    found = manifest.read(file)
    assert not found.facts
    assert found.problems == [f"{file}: edited by hand: results/a/x"]


def test_a_manifest_is_sorted_and_written_only_if_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "m" / "a.jsonl"
    both = [fact("results/a/y"), fact("results/a/x")]
    assert manifest.write(file, both, {})
    assert list(manifest.read(file).facts) == ["results/a/x", "results/a/y"]
    assert not manifest.write(file, reversed(both), {})


def test_code_behind_a_digest_is_kept_for_facts_that_name_it(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    one = Fact("results/a/x", "1" * 64, 3, {"code": "script 12"}, {}, {})
    manifest.write(file, [one], {"script 12": {"script.py": "ab"}, "other 34": {"other.py": "cd"}})
    assert manifest.read(file).code == {"script 12": {"script.py": "ab"}}
