"""After any change the jobs that run are exactly those whose result could differ: the example workflow, with git and DVC.

Each row changes something for real and compares the jobs that Snakemake then plans with the least correct set: the jobs that the
change affects and all that is made of what they make. The rows are printed as a table at the end of the run.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from snakemake_provenance.comparing import compare
from snakemake_provenance.hashes import visible_files
from snakemake_provenance.settings import Settings
from snakemake_provenance.versions import version
from tests.provenance.toy import Clone, Plan, World

Row = Callable[[World], tuple[Plan, set[str]]]
ROWS: dict[str, Row] = {}
WORDS, COUNTS = "results/fox/words.txt", "results/fox/counts.txt"


def row(name: str) -> Callable[[Row], Row]:
    """Name a row of the table."""

    def keep(function: Row) -> Row:
        ROWS[name] = function
        return function

    return keep


def changed(place: Clone, *first: str, arguments: tuple[str, ...] = ()) -> tuple[Plan, set[str]]:
    """Return the plan, and the given jobs with all that is made of what they make."""
    plan = place.plan(*arguments)
    return plan, plan.behind(set(first))


CLEAN = ("fox/words.txt", "night/words.txt")
TOP = ("fox/top.csv", "night/top.csv")


def flip(path: Path) -> None:
    """Change one bit and set the times back."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# nothing changed


@row("nothing, in the producing clone after a push")
def _(world: World) -> tuple[Plan, set[str]]:
    return changed(world.producer)


@row("fresh clone and pull")
def _(world: World) -> tuple[Plan, set[str]]:
    return changed(world.colleague)


@row("an input made again, to the same bytes, where the benchmark files are older")
def _(world: World) -> tuple[Plan, set[str]]:
    place, benchmark = world.producer, world.producer.folder / "logs/fox.tsv"
    place.edit(
        "Snakefile",
        '"results/{text}/counts.txt",\n',
        '"results/{text}/counts.txt",\n    benchmark: "logs/{text}.tsv"\n',
    )
    benchmark.parent.mkdir()
    benchmark.write_text("s\n1.0\n")
    os.utime(benchmark, (1e9, 1e9))
    before = (place.folder / WORDS).read_bytes()
    place.build("--force", WORDS)
    assert (place.folder / WORDS).read_bytes() == before
    return changed(place)


@row("comments, docstrings and format of a script and of a module")
def _(world: World) -> tuple[Plan, set[str]]:
    for file in ("scripts/clean.py", "scripts/normal.py", "scripts/top.py"):
        path = world.colleague.folder / file
        path.write_text(path.read_text().replace('"""', '"""In short: ', 1) + "\n\n# a comment\n")
    return changed(world.colleague)


@row("a key of the configuration that no rule reads")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("config.yaml", "number: 5", "number: 5\ntitle: Words")
    return changed(world.colleague)


@row("scripts and data touched, and older than results")
def _(world: World) -> tuple[Plan, set[str]]:
    os.utime(world.colleague.folder / "data/fox.txt")
    os.utime(world.colleague.folder / "scripts/clean.py")
    os.utime(world.colleague.folder / "results/night/words.txt", (1e9, 1e9))
    return changed(world.colleague)


@row("raw data absent, results pulled")
def _(world: World) -> tuple[Plan, set[str]]:
    (world.colleague.folder / "data/fox.txt").unlink()
    return changed(world.colleague)


@row("project folder moved")
def _(world: World) -> tuple[Plan, set[str]]:
    moved = Clone(world.folder / "moved")
    world.colleague.folder.rename(moved.folder)
    return changed(moved)


@row("results moved away and copied back without their times")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague.folder
    (place / "results").rename(place / "aside")
    shutil.copytree(place / "aside", place / "results", copy_function=shutil.copy)
    return changed(world.colleague)


@row("Snakemake's records lost")
def _(world: World) -> tuple[Plan, set[str]]:
    shutil.rmtree(world.colleague.folder / ".snakemake")
    return changed(world.colleague)


@row("clock set back: all times at random")
def _(world: World) -> tuple[Plan, set[str]]:
    choose = random.Random(0)
    for path in (world.colleague.folder / "results").rglob("*"):
        os.utime(path, (0, time.time() + choose.uniform(-1e6, 1e6)))
    return changed(world.colleague)


@row("another target built beside, which the default one does not need")
def _(world: World) -> tuple[Plan, set[str]]:
    shutil.copy(world.colleague.folder / "data/fox.txt", world.colleague.folder / "data/copy.txt")
    world.colleague.build("results/copy/counts.txt")
    return changed(world.colleague)


@row("a result that is a link to itself, which holds as much as none")
def _(world: World) -> tuple[Plan, set[str]]:
    file = world.colleague.folder / WORDS
    file.unlink()
    file.symlink_to(file.name)
    return changed(world.colleague)


# parameters, code, inputs


@row("late parameter")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("config.yaml", "number: 5", "number: 4")
    return changed(world.colleague, *TOP)


@row("early parameter")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("config.yaml", "shortest: 3", "shortest: 4")
    return changed(world.colleague, *CLEAN)


@row("two parameters of a rule swapped")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("config.yaml", "shortest: 3\nlongest: 12", "shortest: 12\nlongest: 3")
    return changed(world.colleague, *CLEAN)


@row("two named inputs of a rule swapped")
def _(world: World) -> tuple[Plan, set[str]]:
    before = 'counts="results/{text}/counts.txt",\n        words="results/{text}/words.txt"'
    after = 'counts="results/{text}/words.txt",\n        words="results/{text}/counts.txt"'
    world.colleague.edit("Snakefile", before, after)
    return changed(world.colleague, *TOP)


@row("script edited")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("scripts/clean.py", "<= len(word)", "< len(word)")
    return changed(world.colleague, *CLEAN)


@row("module edited that a script imports")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("scripts/normal.py", "[a-z]+", "[b-z]+")
    return changed(world.colleague, *CLEAN)


@row("script edited that a shell command calls")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("scripts/top.py", ":.3f", ":.4f")
    return changed(world.colleague, *TOP)


@row("shell command edited")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("Snakefile", "uniq --repeated", "uniq --unique")
    return changed(world.colleague, "shared.csv")


@row("input added to a rule")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("config.yaml", "[fox, night]", "[fox, night, day]")
    shutil.copy(world.colleague.folder / "data/fox.txt", world.colleague.folder / "data/day.txt")
    return changed(world.colleague, "day/words.txt")


@row("input removed from a rule")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("config.yaml", "[fox, night]", "[fox]")
    return changed(world.colleague, "shared.csv")


@row("data file changed")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("data/fox.txt", "quick", "slow")
    return changed(world.colleague, "fox/words.txt")


@row("clock set back: an input altered, older than what is made of it")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("data/fox.txt", "quick", "slow")
    os.utime(world.colleague.folder / "data/fox.txt", (0, 1e9))
    return changed(world.colleague, "fox/words.txt")


@row("snakemake --touch on stale files")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("config.yaml", "number: 5", "number: 4")
    world.colleague.build("--touch")
    return changed(world.colleague, *TOP)


# results


@row("one bit flipped, times kept")
def _(world: World) -> tuple[Plan, set[str]]:
    flip(world.colleague.folder / COUNTS)
    return changed(world.colleague, "fox/counts.txt")


@row("result needed deleted")
def _(world: World) -> tuple[Plan, set[str]]:
    (world.colleague.folder / "results/shared.csv").unlink()
    return changed(world.colleague, "shared.csv")


@row("result deleted that nothing needs now")
def _(world: World) -> tuple[Plan, set[str]]:
    (world.colleague.folder / WORDS).unlink()
    return changed(world.colleague)


@row("a result needed that is a link to itself")
def _(world: World) -> tuple[Plan, set[str]]:
    file = world.colleague.folder / "results/shared.csv"
    file.unlink()
    file.symlink_to(file.name)
    return changed(world.colleague, "shared.csv")


@row("result replaced by that of another job")
def _(world: World) -> tuple[Plan, set[str]]:
    shutil.copy2(world.colleague.folder / "results/night/counts.txt", world.colleague.folder / COUNTS)
    return changed(world.colleague, "fox/counts.txt")


@row("job killed half-way, then shared")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.producer
    (place.folder / "data/day.txt").write_text("The fox sleeps by day.")
    place.edit(
        "scripts/top.py",
        "total =",
        "import os, signal\nprint('half', flush=True)\nos.kill(os.getppid(), signal.SIGKILL)\ntotal =",
    )
    assert place.snakemake("results/day/top.csv") != 0
    assert not list((place.folder / "results/day").glob("*top*"))
    place.git("checkout", "--quiet", "scripts")
    place.commit("day")
    place.tool("push", "day")
    world.colleague.tool("pull")
    return changed(world.colleague, "day/top.csv", arguments=("results/day/top.csv",))


# clones


def _linked(world: World, kind: str) -> Clone:
    """Return another clone, whose results DVC lays out as links of some kind."""
    place = world.producer.clone(kind)
    place.command("dvc", "config", "--local", "cache.type", kind)
    place.tool("pull")
    return place


@row("fresh clone and pull, results as symbolic links; one of them altered")
def _(world: World) -> tuple[Plan, set[str]]:
    place = _linked(world, "symlink")
    file = place.folder / "results/shared.csv"
    assert file.is_symlink()
    assert not place.plan().runs()
    file.unlink()
    file.write_bytes(b"altered")
    return changed(place, "shared.csv")


@row("fresh clone and pull, results as hard links; a parameter changed")
def _(world: World) -> tuple[Plan, set[str]]:
    place = _linked(world, "hardlink")
    assert (place.folder / WORDS).stat().st_nlink > 1
    assert not place.plan().runs()
    place.edit("config.yaml", "number: 5", "number: 4")
    return changed(place, *TOP)


def _committed(world: World) -> None:
    """The producer commits without running; the colleague pulls."""
    world.producer.commit()
    world.producer.git("push", "--quiet")
    world.colleague.tool("pull")


@row("commit whose results were not rebuilt: parameters")
def _(world: World) -> tuple[Plan, set[str]]:
    world.producer.edit("config.yaml", "number: 5", "number: 4")
    _committed(world)
    return changed(world.colleague, *TOP)


@row("commit whose results were not rebuilt: code")
def _(world: World) -> tuple[Plan, set[str]]:
    world.producer.edit("scripts/normal.py", "[a-z]+", "[b-z]+")
    _committed(world)
    return changed(world.colleague, *CLEAN)


@row("commit whose results were not rebuilt: data")
def _(world: World) -> tuple[Plan, set[str]]:
    world.producer.edit("data/fox.txt", "quick", "slow")
    _committed(world)
    return changed(world.colleague, "fox/words.txt")


def _rebuilt(world: World) -> None:
    """The producer changes a parameter, runs and pushes."""
    world.producer.edit("config.yaml", "number: 5", "number: 4")
    world.producer.build()
    world.producer.commit()
    world.producer.tool("push")


@row("update pulled")
def _(world: World) -> tuple[Plan, set[str]]:
    _rebuilt(world)
    world.colleague.tool("pull")
    return changed(world.colleague)


@row("git pull without pull of the results")
def _(world: World) -> tuple[Plan, set[str]]:
    _rebuilt(world)
    world.colleague.git("pull", "--quiet")
    return changed(world.colleague, *TOP)


@row("partial pull")
def _(world: World) -> tuple[Plan, set[str]]:
    return changed(_partial(world))


def _partial(world: World) -> Clone:
    place = world.producer.clone("third")
    place.tool("pull", "results/shared.csv", "night")
    assert not (place.folder / WORDS).exists()
    return place


@row("partial pull, then an early parameter")
def _(world: World) -> tuple[Plan, set[str]]:
    place = _partial(world)
    place.edit("config.yaml", "shortest: 3", "shortest: 4")
    return changed(place, *CLEAN)


@row("checkout of an old commit and back, with hooks")
def _(world: World) -> tuple[Plan, set[str]]:
    _rebuilt(world)
    world.producer.tool("hooks")
    world.producer.git("checkout", "--quiet", "HEAD~2")
    assert not world.producer.plan().runs()
    world.producer.git("checkout", "--quiet", "main")
    return changed(world.producer)


@row("two people push different sections")
def _(world: World) -> tuple[Plan, set[str]]:
    for place, name in ((world.producer, "one"), (world.colleague, "two")):
        (place.folder / f"data/{name}.txt").write_text(f"Text {name} of two.")
        place.build(f"results/{name}/counts.txt")
        place.commit(name)
    world.producer.tool("push")
    world.colleague.tool("pull")
    world.colleague.tool("push")
    world.producer.tool("pull")
    return changed(world.producer, arguments=("all", "results/one/counts.txt", "results/two/counts.txt"))


@row("two people push the same section: conflict in manifest and dvc.lock")
def _(world: World) -> tuple[Plan, set[str]]:
    for place, number in ((world.producer, 6), (world.colleague, 4)):
        place.edit("config.yaml", "number: 5", f"number: {number}")
        place.build()
        place.commit("mine")
    world.producer.tool("push")
    world.colleague.tool("record")
    world.colleague.commit("mine, recorded")
    world.colleague.tool("pull", status=2)  # git stops at the conflict in the configuration, and nowhere else
    assert world.colleague.git("diff", "--name-only", "--diff-filter=U").split() == ["config.yaml"]
    world.colleague.git("checkout", "--theirs", "config.yaml")
    world.colleague.commit("merged")
    world.colleague.tool("pull", "--no-git")
    return changed(world.colleague, *TOP)  # bytes of the colleague, configuration of the producer


@row("manifest edited by hand")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.producer.clone("third")
    place.edit("config.yaml", "number: 5", "number: 4")
    place.edit("provenance/fox.jsonl", "'number': 5", "'number': 4")
    place.tool("pull", status=1)
    return changed(place, *TOP)


# which cause a comparison with the state before names, once the row's change is built; rows that are not here change no bytes

NUMBER = {name: [("parameter", "number: 5 before, 4 now")] for name in TOP}
SHORTEST = {name: [("parameter", "shortest: 3 before, 4 now")] for name in CLEAN}
NORMAL = {name: [("code", "code of normal.py")] for name in CLEAN}
FOX = {"fox/words.txt": [("data", "data/fox.txt changed")]}
CAUSES: dict[str, dict[str, list[tuple[str, str]]]] = {
    "late parameter": NUMBER,
    "early parameter": SHORTEST,
    "two parameters of a rule swapped": {
        name: [("parameter", "longest: 12 before, 3 now"), ("parameter", "shortest: 3 before, 12 now")]
        for name in CLEAN
    },
    "two named inputs of a rule swapped": {
        name: [("files", "the names or the order of its inputs and outputs")] for name in TOP
    },
    "script edited": {name: [("code", "code of clean.py")] for name in CLEAN},
    "module edited that a script imports": NORMAL,
    "script edited that a shell command calls": {name: [("code", "code of top.py")] for name in TOP},
    "shell command edited": {"shared.csv": [("code", "the command or the name of the script of rule share")]},
    "input added to a rule": {"shared.csv": [("files", "results/day/top.csv is an input only now")]},
    "input removed from a rule": {"shared.csv": [("files", "results/night/top.csv is an input only before")]},
    "data file changed": FOX,
    "clock set back: an input altered, older than what is made of it": FOX,
    "snakemake --touch on stale files": NUMBER,
    "fresh clone and pull, results as hard links; a parameter changed": NUMBER,
    "commit whose results were not rebuilt: parameters": NUMBER,
    "commit whose results were not rebuilt: code": NORMAL,
    "commit whose results were not rebuilt: data": FOX,
    "update pulled": NUMBER,
    "git pull without pull of the results": NUMBER,
    "partial pull, then an early parameter": SHORTEST,
    "checkout of an old commit and back, with hooks": NUMBER,
    "two people push the same section: conflict in manifest and dvc.lock": {
        name: [("parameter", "number: 5 before, 6 now")] for name in TOP
    },
    "manifest edited by hand": NUMBER,
}


def check_causes(name: str, place: Clone, before: str, shared: World) -> str:
    """Build the row's change; compare the results that differ, and their causes, with the table above."""
    place.build()
    with place.inside():
        settings = Settings.read()
        found = compare(version(before, settings), version(".", settings), settings)
    old, new = shared.producer.folder / "results", place.folder / "results"
    files = {path.relative_to(new).as_posix() for path in visible_files(new)}
    both = {file for file in files if (old / file).is_file()}
    differing = {file for file in both if (old / file).read_bytes() != (new / file).read_bytes()}
    changes = {path.removeprefix("results/"): change for path, change in found.changes.items()}
    assert changes.keys() == differing
    expected = CAUSES.get(name, {})
    assert differing or not expected
    for path, change in changes.items():
        assert list(map(tuple, change.causes)) == expected.get(path, [])
        roots = {root.removeprefix("results/") for root in change.roots}
        assert roots and roots <= expected.keys()
        assert path in expected or all(source.removeprefix("results/") in changes for source in change.sources)
    return "; ".join(sorted({text for change in changes.values() for _, text in change.causes})) or "no difference"


def describe(jobs: set[str]) -> str:
    """Name jobs, at most four of them."""
    shown = ", ".join(sorted(jobs)[:4])
    return shown + (f" and {len(jobs) - 4} more" if len(jobs) > 4 else "") or "nothing"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ROWS))
def test_exactly_what_could_differ_runs(
    name: str, world: World, shared: World, record_property: Callable[[str, object], None]
) -> None:
    before = world.producer.git("rev-parse", "HEAD").strip()
    plan, expected = ROWS[name](world)
    actual = plan.runs()
    verdict = "equal" if actual == expected else "NOT EQUAL"
    record_property("scenario", (name, describe(expected), describe(actual), verdict))
    reasons = {job: plan.jobs[job]["reason"] for job in actual - expected}
    assert not expected - actual, f"stale: {sorted(expected - actual)}"
    assert not reasons, f"needless: {reasons}"
    record_property("cause", (name, check_causes(name, plan.place, before, shared)))
