"""The command `snakemake-provenance` on the example: what each command prints, does and refuses."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from snakemake_provenance import cli, crate
from tests.provenance.test_scenarios import COUNTS, WORDS, flip
from tests.provenance.toy import World

Printed = pytest.CaptureFixture[str]
FLIPS = 30


def lines(text: str) -> dict[str, str]:
    """Return the condition by path, of a printed status."""
    found = (line.partition("results/") for line in text.splitlines() if not line.startswith(" "))
    return {path: condition.strip() for condition, separator, path in found if separator}


def test_status_shows_each_condition_and_why(world: World, capfd: Printed) -> None:
    place = world.colleague
    place.edit("scripts/normal.py", "[a-z]+", "[a-z']+")
    place.edit("config.yaml", "number: 5", "number: 4")
    flip(place.folder / "results/night/counts.txt")
    (place.folder / "results/shared.csv").unlink()
    place.tool("status", status=1)
    printed = capfd.readouterr().out
    assert lines(printed) == {
        "fox/words.txt": "stale",
        "night/words.txt": "stale",
        "fox/counts.txt": "stale",
        "night/counts.txt": "not recorded",
        "fox/top.csv": "stale",
        "night/top.csv": "stale",
        "shared.csv": "missing",
    }
    assert "code of normal.py" in printed
    assert "number: 5 before, 4 now" in printed
    assert "made from results/fox/words.txt, which is to be made again" in printed


def test_verify_finds_every_flipped_bit(world: World, capfd: Printed) -> None:
    choose = random.Random(0)
    with world.colleague.inside():
        assert cli.main(["verify"]) == 0
        files = sorted(path for path in Path("results").rglob("*") if path.is_file())
        for path in choose.choices(files, k=FLIPS):
            content = path.read_bytes()
            altered = bytearray(content)
            altered[choose.randrange(len(altered))] ^= 1 << choose.randrange(8)
            path.write_bytes(altered)
            capfd.readouterr()
            assert cli.main(["verify"]) == 1
            printed = capfd.readouterr().out
            assert f"{path}\n" in printed and "1 differ from the record" in printed
            path.write_bytes(content)


def test_why_shows_the_chain_and_what_has_changed(world: World, capfd: Printed) -> None:
    world.colleague.edit("config.yaml", "shortest: 3", "shortest: 4")
    world.colleague.tool("why", COUNTS)
    printed = capfd.readouterr().out
    assert f"{COUNTS}  stale, made by count" in printed
    assert f"\n  {WORDS}  stale, made by clean" in printed
    assert "shortest: 3 before, 4 now" in printed
    assert "\n    data/fox.txt  source, sha256" in printed
    world.colleague.tool("why", "results/fox/nothing", status=2)
    assert "no rule makes it" in capfd.readouterr().err


def test_gc_removes_what_is_no_longer_made_and_nothing_else(world: World) -> None:
    place = world.colleague
    (place.folder / "snakemake-provenance.toml").write_text('kept = ["*.checkpoint"]\n')
    place.edit("Snakefile", '"sort {input} | uniq --count > {output}"', '"sort {input} | uniq --count > {output}"')
    for name in ("fox/notes.txt", "fox/training.checkpoint", "other/notes.txt"):
        (place.folder / "results" / name).parent.mkdir(exist_ok=True)
        (place.folder / "results" / name).write_text("mine")
    place.edit("config.yaml", "[fox, night]", "[fox]")
    before = {path for path in (place.folder / "results").rglob("*") if path.is_file()}
    place.tool("gc")
    assert before == {path for path in (place.folder / "results").rglob("*") if path.is_file()}
    place.tool("gc", "--delete")
    gone = {path.relative_to(place.folder / "results").as_posix() for path in before if not path.exists()}
    assert gone == {"fox/notes.txt"}, "sections that the workflow was not asked for stay"
    place.edit("Snakefile", "results/{text}/top.csv", "results/{text}/best.csv")
    place.edit("Snakefile", 'expand("results/{text}/top.csv"', 'expand("results/{text}/best.csv"')
    place.tool("gc", "--delete")
    assert not (place.folder / "results/fox/top.csv").exists()
    assert "top.csv" not in (place.folder / "provenance/fox.jsonl").read_text().replace("> results/fox/top.csv", "")


def test_a_finished_section_becomes_a_crate(world: World, tmp_path: Path, capfd: Printed) -> None:
    place, target = world.colleague, tmp_path / "fox.zip"
    place.tool("archive", "fox", str(target))
    with zipfile.ZipFile(target) as packed:
        assert packed.testzip() is None
        names = set(packed.namelist())
        graph = {entry["@id"]: entry for entry in json.loads(packed.read("ro-crate-metadata.json"))["@graph"]}
        assert packed.read(WORDS) == (place.folder / WORDS).read_bytes()
    assert {WORDS, "Snakefile", "scripts/clean.py", "provenance/fox.jsonl"} <= names
    made = graph[f"#made-{WORDS}"]
    assert made["@type"] == "CreateAction"
    assert made["object"] in ({"@id": "data/fox.txt"}, [{"@id": "data/fox.txt"}])
    assert made["instrument"] == {"@id": "scripts/clean.py"}
    check_profiles(graph)
    place.git("remote", "set-url", "origin", "https://me:secret@example.com:8443/them/words.git")
    place.tool("archive", "fox", str(target))
    with zipfile.ZipFile(target) as packed:
        described = packed.read("ro-crate-metadata.json").decode()
    assert "https://example.com:8443/them/words#" in described and "secret" not in described
    place.tool("archive", "foxes", str(target), status=2)
    assert "the workflow makes no results of foxes" in capfd.readouterr().err
    place.edit("scripts/clean.py", "words =", "# a comment\nwords =")
    place.tool("archive", "fox", str(target), status=2)
    assert "scripts/clean.py is not committed" in capfd.readouterr().err
    place.edit("config.yaml", "number: 5", "number: 4")
    place.tool("archive", "fox", str(target), status=2)
    assert "not fresh" in capfd.readouterr().err


def check_profiles(graph: dict[str, dict[str, Any]]) -> None:
    """Check what Provenance Run Crate and the profiles below it require; `roc-validator` was run by hand."""

    def of(kind: str) -> list[dict[str, Any]]:
        return [entry for entry in graph.values() if kind in entry["@type"]]

    root, workflow = graph["./"], graph["Snakefile"]
    assert {place["@id"] for place in root["conformsTo"]} == set(crate.PROFILES)
    assert graph[root["license"]["@id"]]["name"] and graph[root["publisher"]["@id"]]["@type"] == "Organization"
    assert graph[root["author"]["@id"]]["name"] == "somebody"
    assert root["mainEntity"] == {"@id": "Snakefile"} and set(workflow["@type"]) >= {"ComputationalWorkflow", "HowTo"}
    rules = {"clean", "count", "top"}
    assert {step["name"] for step in of("HowToStep")} == rules
    assert {step["workExample"]["@id"] for step in of("HowToStep")} == {part["@id"] for part in workflow["hasPart"]}
    assert set(graph["scripts/clean.py"]["@type"]) == {"File", "SoftwareSourceCode"}
    run = graph["#run"]
    assert run["instrument"] == {"@id": "Snakefile"} and run["object"] == {"@id": "data/fox.txt"}
    assert {made["@id"] for made in run["result"]} == {
        f"results/fox/{name}" for name in ("words.txt", "counts.txt", "top.csv")
    }
    (organized,) = of("OrganizeAction")
    assert organized["result"] == {"@id": "#run"} and len(organized["object"]) == len(of("ControlAction")) == len(rules)
    for action in of("CreateAction"):
        assert {"@id": action["@id"]} in root["mentions"] and action["agent"] == root["author"]
        assert action["instrument"]["@id"] in graph and action["startTime"] <= action["endTime"]
    assert all(entry.get("encodingFormat") for entry in of("File"))


def test_push_refuses_what_no_job_wrote_and_says_what_it_lacks(world: World, capfd: Printed) -> None:
    place = world.colleague
    place.edit("config.yaml", "number: 5", "number: 5\ntitle: Words")
    place.tool("push", "fox")
    assert "config.yaml is not committed" in capfd.readouterr().out
    place.tool("push", "nonesuch", status=2)
    assert "nothing is recorded of nonesuch" in capfd.readouterr().err
    flip(place.folder / WORDS)
    place.tool("push", status=2)
    assert f"no job is known to have written {WORDS}:" in capfd.readouterr().err
    place.command("dvc", "remote", "remove", "store")
    place.tool("push", status=2)
    assert "dvc remote add --default NAME URL" in capfd.readouterr().err


def test_a_checkout_replaces_no_result_that_was_never_pushed(world: World) -> None:
    place, file = world.producer, world.producer.folder / "results/shared.csv"
    place.tool("hooks")
    place.edit("config.yaml", "number: 5", "number: 1")
    place.build()
    place.commit("another number")
    made = file.read_bytes()
    place.git("checkout", "--quiet", "HEAD~1")
    assert file.read_bytes() == made


def test_somebody_elses_hook_is_left_alone(world: World, capfd: Printed) -> None:
    hook = world.colleague.folder / ".git/hooks/post-merge"
    hook.write_text("#!/bin/sh\necho mine\n")
    world.colleague.tool("hooks", status=2)
    assert "post-merge is not ours" in capfd.readouterr().err
    assert "mine" in hook.read_text()
    assert not hook.with_name("post-checkout").exists()
    hook.unlink()
    world.colleague.tool("hooks")
    world.colleague.tool("hooks", "--remove")
    assert not hook.exists()


def test_settings_that_are_none_are_named(world: World, capfd: Printed) -> None:
    (world.colleague.folder / "snakemake-provenance.toml").write_text('result = "results"\n')
    world.colleague.tool("verify", status=2)
    assert "there is no setting result; there are results, manifests" in capfd.readouterr().err


def test_outside_a_project_the_command_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["status"]) == 2


HOLD = "import time; from pathlib import Path; from snakemake_provenance import locks; "
HOLD += "locks.hold(Path('.snakemake')); print('held', flush=True); time.sleep(60)"


def test_nothing_is_pushed_removed_or_restored_while_a_run_is_in_progress(world: World, capfd: Printed) -> None:
    place = world.colleague
    with subprocess.Popen([sys.executable, "-c", HOLD], cwd=place.folder, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stdout.readline() == "held\n"
        for command, status in ((("push",), 2), (("gc", "--delete"), 2), (("restore",), 1)):
            place.tool(*command, status=status)
            assert "a run is in progress" in "".join(capfd.readouterr())
        run.kill()
