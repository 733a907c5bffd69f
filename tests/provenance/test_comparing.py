"""Comparisons of two versions: what the command `diff` prints and refuses; causes that the scenarios do not have."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from snakemake_provenance import comparing
from snakemake_provenance.differences import Kind
from snakemake_provenance.facts import Fact
from snakemake_provenance.settings import Settings
from snakemake_provenance.versions import Version, numbers
from tests.provenance.toy import Clone, World

Printed = pytest.CaptureFixture[str]
RULE = """

rule scores:
    input:
        "results/fox/top.csv",
    output:
        "results/fox/scores.json",
    params:
        weight=config["weight"],
    run:
        Path(output[0]).write_text('{"mean": {"weight": %s}, "same": 1, "name": "fox"}' % params.weight)
"""


@pytest.fixture
def scored(world: World) -> World:
    """The example with a metrics file, pushed."""
    place = world.producer
    (place.folder / "Snakefile").open("a").write(RULE)
    place.edit("Snakefile", "rule all:\n    input:\n", 'rule all:\n    input:\n        "results/fox/scores.json",\n')
    place.edit("config.yaml", "number: 5", "number: 5\nweight: 2")
    (place.folder / "snakemake-provenance.toml").write_text('metrics = ["scores.json"]\n')
    place.build()
    place.commit("scores")
    place.tool("push")
    return world


def test_diff_groups_results_by_cause_and_shows_the_numbers(scored: World, capfd: Printed) -> None:
    place = scored.producer
    place.edit("config.yaml", "weight: 2", "weight: 3")
    place.edit("config.yaml", "number: 5", "number: 4")
    place.build()
    capfd.readouterr()
    place.tool("diff", "HEAD")
    assert capfd.readouterr().out.splitlines() == [
        "HEAD -> .: 4 results differ, 4 are equal",
        "",
        "parameter  weight: 2 before, 3 now",
        "  results/fox/scores.json",
        "",
        "parameter  number: 5 before, 4 now",
        "  results/fox/top.csv",
        "  results/night/top.csv",
        "  and 1 made from them",
        "",
        "before  now    change  results/fox/scores.json",
        "     2    3  +50.00 %  mean.weight",
    ]
    place.tool("diff", "HEAD", ".", "--only", "night", "--json")
    document = json.loads(capfd.readouterr().out)
    assert list(document["changes"]) == ["results/night/top.csv"] and not document["metrics"]


def test_diff_of_two_commits_reads_the_numbers_from_dvc(scored: World, capfd: Printed) -> None:
    place = scored.producer
    place.edit("config.yaml", "weight: 2", "weight: 3")
    place.build()
    place.commit("heavier")
    place.tool("push")
    place.edit("config.yaml", "weight: 3", "weight: 5")
    place.build()
    capfd.readouterr()
    place.tool("diff", "HEAD~2", "HEAD")
    assert "2    3  +50.00 %  mean.weight" in capfd.readouterr().out
    scored.colleague.git("pull", "--quiet")
    scored.colleague.tool("diff", "../producer", "HEAD")
    printed = capfd.readouterr().out
    assert "parameter  weight: 5 before, 3 now" in printed and "-40.00 %" in printed


def test_diff_refuses_what_is_no_version(world: World, capfd: Printed) -> None:
    place = world.colleague
    place.tool("diff", "nowhere", status=2)
    assert "nowhere: neither a commit of this project nor the folder of a clone" in capfd.readouterr().err
    root = place.git("rev-list", "--max-parents=0", "HEAD").strip()
    place.tool("diff", root, status=2)
    assert f"{root}: no result is recorded" in capfd.readouterr().err


ONE = Fact(
    "results/a/x.csv",
    "1" * 64,
    1,
    {"at": "2026-01-01T00:00:00+00:00", "seconds": 1.0, "python": "3.11.2", "system": "Linux x86_64"},
    {"data/a.txt": "2" * 64, "results/a/y.csv": "3" * 64},
    {"rule": "r", "params": ["{'n': 1}", "{'torch': '2.0'}"], "code": "s"},
)


@pytest.mark.parametrize(
    ("changed", "kind", "text"),
    [
        ({"record": {**ONE.record, "params": ["{'n': 1}", "{'torch': '2.1'}"]}}, Kind.PACKAGE, "torch: '2.0' before"),
        ({"record": {**ONE.record, "rule": "q"}}, Kind.RULE, "r before, q now"),
        ({"record": {**ONE.record, "software_stack_hash": "1"}}, Kind.SYSTEM, "conda environment"),
        ({"made": {**ONE.made, "python": "3.12.1"}}, Kind.SYSTEM, "3.11.2 before, 3.12.1 now"),
        ({"inputs": {**ONE.inputs, "results/a/y.csv": "4" * 64}}, Kind.DATA, "results/a/y.csv changed"),
        ({}, Kind.UNKNOWN, "gave other bytes"),
    ],
)
def test_each_kind_of_cause_is_named(changed: dict[str, object], kind: Kind, text: str) -> None:
    other = replace(ONE, sha256="5" * 64, **changed)  # type: ignore[arg-type]
    one, two = (Version(fact.sha256, {fact.path: fact}, {}) for fact in (ONE, other))
    (cause,) = comparing.compare(one, two, Settings()).changes[ONE.path].causes
    assert cause.kind is kind and text in cause.text


def test_numbers_of_a_document() -> None:
    assert numbers(b'{"a": {"b": 1.5, "c": [1, "x", true, null]}}') == {"a.b": 1.5, "a.c.0": 1}
    assert numbers(b"a,b\n1,2\n") == {} == numbers(b"\xff")


def test_one_section_shows_the_cause_in_another_and_unknown_ones_are_refused(scored: World, capfd: Printed) -> None:
    place = scored.producer
    place.edit("data/fox.txt", "quick", "slow")
    place.build()
    capfd.readouterr()
    place.tool("diff", "HEAD", "--only", "fox")
    printed = capfd.readouterr().out
    assert "data       data/fox.txt changed\n  results/fox/words.txt" in printed
    place.tool("diff", "HEAD", "--only", "nothing", status=2)
    assert "no results of nothing; there are _top, fox, night" in capfd.readouterr().err


def test_altered_and_former_results_of_a_clone(scored: World, capfd: Printed) -> None:
    """What a hand or an older checkout left is neither new nor gone; damaged lines of a manifest are named."""
    place = scored.producer
    place.edit("config.yaml", "number: 5", "number: 4")
    place.build()
    place.commit("four")
    place.tool("push")
    (place.folder / "results/fox/top.csv").write_text("mine\n")
    capfd.readouterr()
    place.tool("diff", "HEAD")
    printed = capfd.readouterr().out
    assert "there, but not recorded: 1 results\n  results/fox/top.csv" in printed and "only" not in printed
    place.git("checkout", "--quiet", "HEAD~2")
    shutil.rmtree(place.folder / "results")
    place.tool("diff", "HEAD")
    assert capfd.readouterr().out == "HEAD -> .: 0 results differ, 8 are equal\n"
    place.edit("provenance/fox.jsonl", "'number': 5", "'number': 6")
    place.tool("diff", "HEAD", status=1)
    assert "edited by hand" in capfd.readouterr().out


def test_a_project_below_the_root_of_its_repository(scored: World, tmp_path: Path, capfd: Printed) -> None:
    outer = Clone(tmp_path / "outer")
    shutil.copytree(scored.producer.folder, outer.folder / "inner", symlinks=True)
    shutil.rmtree(outer.folder / "inner/.git")
    outer.git("init", "--quiet")
    outer.commit("all")
    inner = Clone(outer.folder / "inner")
    inner.tool("diff", "HEAD")
    assert capfd.readouterr().out == "HEAD -> .: 0 results differ, 8 are equal\n"


def test_a_long_chain_of_results_and_a_number_that_is_none() -> None:
    facts = [
        replace(ONE, path=f"results/a/{number}", inputs={f"results/a/{number - 1}": "2" * 64} if number else {})
        for number in range(3000)
    ]
    others = [
        replace(
            one,
            sha256="5" * 64,
            inputs=dict.fromkeys(one.inputs, "5" * 64),
            record={**one.record, "params": []} if not one.inputs else one.record,
        )
        for one in facts
    ]
    one, two = (Version("v", {fact.path: fact for fact in side}, {}) for side in (facts, others))
    found = comparing.compare(one, two, Settings())
    assert found.changes["results/a/2999"].roots == ("results/a/0",)
    assert numbers(b'{"a": NaN, "b": 1}') == {"b": 1}
