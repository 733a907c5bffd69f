"""After any change the jobs that run are exactly those whose result could differ.

Each row changes something for real - with git, DVC, Snakemake and an editor - and compares the jobs that Snakemake then
wants with the least correct set: the jobs that the change touches and all that is made of what they make. The rows are
printed as a table at the end of the run.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snakemake_provenance import code
from tests.workflow.workplace import Plan, Workplace
from tests.workflow.world import MOMENTS, World, write_images
from underpainting_workflow import jobs

Row = Callable[[World], tuple[Plan, set[str]]]
ROWS: dict[str, Row] = {}

MIDDLE = "results/tiny/moments.zarr.zip"
BYTES_MOMENTS = "results/bytes/moments.zarr.zip"


def row(name: str) -> Callable[[Row], Row]:
    """Name a row of the table."""

    def keep(function: Row) -> Row:
        ROWS[name] = function
        return function

    return keep


def changed(place: Workplace, rules: tuple[str, ...] = (), *arguments: str) -> tuple[Plan, set[str]]:
    """The plan, and the jobs of some rules with all behind them."""
    plan = place.plan(*arguments)
    return plan, plan.behind(plan.of_rules(*rules)) if rules else set()


@row("nothing, in the producing clone after a push")
def _(world: World) -> tuple[Plan, set[str]]:
    return changed(world.producer)


@row("fresh clone and pull")
def _(world: World) -> tuple[Plan, set[str]]:
    return changed(world.colleague)


@row("fresh clone and pull, the other study")
def _(world: World) -> tuple[Plan, set[str]]:
    return changed(world.colleague, (), *MOMENTS)


def _linked(world: World, kind: str) -> Workplace:
    """Another clone, whose results DVC lays out as links of some kind."""
    place = world.producer.clone(kind)
    place.dvc("config", "--local", "cache.type", kind)
    place.tool("pull")
    return place


@row("fresh clone and pull, results as symbolic links; one of them altered")
def _(world: World) -> tuple[Plan, set[str]]:
    place = _linked(world, "symlink")
    assert (place.folder / MIDDLE).is_symlink()
    assert not place.plan().runs()
    (place.folder / MIDDLE).unlink()
    (place.folder / MIDDLE).write_bytes(b"altered")
    return changed(place, ("estimate_moments",))


@row("fresh clone and pull, results as hard links; a parameter changed")
def _(world: World) -> tuple[Plan, set[str]]:
    place = _linked(world, "hardlink")
    assert (place.folder / MIDDLE).stat().st_nlink > 1
    assert not place.plan().runs()
    place.study({"dataset.limit": 190})
    return changed(place, ("prepare_dataset",))


KINDS = {
    ".zarr.zip": "results/tiny/perturbation/*.zarr.zip",
    ".safetensors": "results/tiny/classifier.safetensors",
    "weights": "results/tiny/denoiser/unet/*.safetensors",
    ".json": "results/tiny/metrics.json",
    ".csv": "results/tiny/claims.csv",
    ".html": "results/tiny/tables/geometry.html",
    ".png": "results/tiny/figures/fig04f*.png",
    ".pdf": "results/tiny/figures/fig10*.pdf",
    "scheduler": "results/tiny/denoiser/scheduler/*.json",
}


@row("one bit of a result of every kind flipped, the file's times as they were")
def _(world: World) -> tuple[Plan, set[str]]:
    flipped = set()
    for number, pattern in enumerate(KINDS.values()):
        file = sorted(world.colleague.folder.glob(pattern))[0]
        content, times = bytearray(file.read_bytes()), file.stat()
        content[(number * 7919) % len(content)] ^= 1 << number % 8
        file.write_bytes(content)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        flipped.add(file.relative_to(world.colleague.folder).as_posix())
    plan = world.colleague.plan()
    return plan, plan.behind({name for name, job in plan.jobs.items() if flipped & set(job["outputs"])})


@row("a result that is a link to itself, which holds as much as none")
def _(world: World) -> tuple[Plan, set[str]]:
    file = world.colleague.folder / MIDDLE
    file.unlink()
    file.symlink_to(file.name)
    return changed(world.colleague)


@row("a result needed that is a link to itself")
def _(world: World) -> tuple[Plan, set[str]]:
    file = world.colleague.folder / "results/tiny/tables/claims.html"
    file.unlink()
    file.symlink_to(file.name)
    return changed(world.colleague, ("tabulate_claims",))


@row("two named inputs of a rule swapped")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague
    data, moments = (f'"results/{{study}}/{name}.zarr.zip"' for name in ("dataset", "moments"))
    before = f"dataset={data},\n        moments={moments}"
    place.edit("rules/moments.smk", before, f"dataset={moments},\n        moments={data}")
    return changed(place, ("decompose_covariance",))


@row("jumps in another order")
def _(world: World) -> tuple[Plan, set[str]]:
    jumps = [
        {"name": "mixture", "skips": [80]},
        {"name": "isotropic", "skips": [50]},
        {"name": "gaussian", "skips": [50, 80]},
    ]
    world.colleague.study({"budget.jumps": jumps})
    return changed(world.colleague)


@row("where and with how many threads a network is computed; a default written out; 1 for 1.0")
def _(world: World) -> tuple[Plan, set[str]]:
    written = {"device": "cpu", "denoiser.threads": 2, "precision": "float32", "score.ratios": [0.1, 1]}
    world.colleague.study(written)
    return changed(world.colleague)


@row("late parameter: a figure's style")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"figures.dpi": 61})
    plan = world.colleague.plan()
    return plan, {name for name, job in plan.jobs.items() if job["rule"].startswith(("figure_", "render_"))}


@row("early parameter: fewer images")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"dataset.limit": 190})
    return changed(world.colleague, ("prepare_dataset",))


@row("two parameters swapped")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"denoiser.training.steps": 16, "denoiser.training.batch_size": 6})
    return changed(world.colleague, ("train_denoiser",))


@row("title, which only the report shows")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"title": "Renamed"})
    return changed(world.colleague, ("render_report",))


@row("script edited")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("scripts/measure_retrieval.py", "BASELINE = 200", "BASELINE = 201")
    return changed(world.colleague, ("measure_retrieval",))


@row("library edited, used by one rule")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("src/underpainting/analysis/emergence.py", "THRESHOLD = 0.5**0.5", "THRESHOLD = 0.6**0.5")
    return changed(world.colleague, ("measure_emergence",))


@row("library edited, used by all rules")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("src/underpainting/io/artifacts.py", "_CHUNK_BYTES = 64", "_CHUNK_BYTES = 32")
    plan = world.colleague.plan()
    return plan, plan.of_rules()


@row("lazily imported module edited")
def _(world: World) -> tuple[Plan, set[str]]:
    name = "src/underpainting/images/datasets.py"
    world.colleague.edit(name, "\n\ndef ", "\n\nUNUSED = 1\n\n\ndef ")
    return _plan_with(world.colleague, name)


def _plan_with(place: Workplace, module: str) -> tuple[Plan, set[str]]:
    """The plan, and the jobs whose script reaches a module, with all behind them."""
    packages = tuple(place.folder / "src" / package.name for package in jobs.PACKAGES)
    code.forget()

    def reaches(name: str) -> bool:
        script = place.folder / "scripts" / f"{name.partition(':')[0]}.py"
        return place.folder / module in code.closure(script, packages, jobs.APART, jobs.modules_of(name))

    plan = place.plan()
    return plan, plan.behind({name for name, job in plan.jobs.items() if reaches(_script(job))})


def _script(job: object) -> str:
    """The script of a job, and the module that it imports by name, from the digest among its parameters."""
    texts = [text for text in job["params"] if text.startswith("'")]  # type: ignore[index]
    return str(texts[0]).strip("'").split()[0]


@row("style sheet of the figures edited")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("src/underpainting/plotting/underpainting.mplstyle", "axes.", "# edited\naxes.")
    plan = world.colleague.plan()
    return plan, plan.behind({name for name, job in plan.jobs.items() if job["rule"].startswith("figure_")})


@row("style sheet of the tables edited")
def _(world: World) -> tuple[Plan, set[str]]:
    name = "src/underpainting_workflow/table.css"
    world.colleague.edit(name, "{", "{ /* edited */")
    return _plan_with(world.colleague, name)


@row("comments, docstrings and format of a script and of modules")
def _(world: World) -> tuple[Plan, set[str]]:
    for file in (
        "scripts/measure_retrieval.py",
        "src/underpainting/io/artifacts.py",
        "src/underpainting/basis/moments.py",
    ):
        path = world.colleague.folder / file
        path.write_text(path.read_text().replace('"""', '"""Better said: ', 1) + "\n\n# a comment\n")
    return changed(world.colleague)


@row("another version of a package")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague
    folder = place.folder / "src" / "seaborn-99.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: seaborn\nVersion: 99\n")
    plan = place.plan()
    return plan, plan.behind(
        {name for name, job in plan.jobs.items() if any("'seaborn'" in text for text in job["params"])}
    )


@row("more seeds")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"trajectories.seeds": 16})
    plan = world.colleague.plan()
    return plan, plan.behind({name for name in plan.jobs if "/trajectories/" in name and "seeds_8-16" in name})


@row("fewer seeds, after the shards of more were made")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague
    place.study({"trajectories.seeds": 16})
    place.snakemake("--quiet=all", "results/tiny/trajectories/heun-4/seeds_8-16.zarr.zip")
    place.study({"trajectories.seeds": 8})
    return changed(place)


@row("skip added")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"teleport.skips": [0, 2, 4]})
    plan = world.colleague.plan()
    new = {name for name in plan.jobs if "/skip_4/samples" in name}
    assert len(new) == 2, "of the sweep and of its null model"
    return plan, plan.behind(new | plan.of_rules("solve_jumps"))


@row("skip removed")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"teleport.skips": [0]})
    return changed(world.colleague, ("tabulate_teleport", "solve_jumps", "figure_hybrid"))


@row("sampler added")
def _(world: World) -> tuple[Plan, set[str]]:
    samplers = [{"name": "ddim", "steps": 6}, {"name": "heun", "steps": 4}, {"name": "euler", "steps": 5}]
    world.colleague.study({"trajectories.samplers": samplers})
    plan = world.colleague.plan()
    return plan, plan.behind({name for name in plan.jobs if "/trajectories/euler-5/" in name})


@row("study added")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague
    shutil.copy(place.folder / "config/studies/tiny.yaml", place.folder / "config/studies/other.yaml")
    plan = place.plan("--config", "studies=tiny,other")
    return plan, {name for name in plan.jobs if not name.startswith("results/tiny/")}


@row("data file changed")
def _(world: World) -> tuple[Plan, set[str]]:
    write_images(world.colleague, np.zeros((40, 8, 8), np.uint8))
    return changed(world.colleague, ("prepare_dataset",), *MOMENTS)


@row("data file touched, and moved to another folder")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague
    os.utime(place.folder / "images/images.npz")
    (place.folder / "images").rename(place.folder / "elsewhere")
    return changed(place, (), *MOMENTS, "data=elsewhere")


@row("raw data absent, results pulled")
def _(world: World) -> tuple[Plan, set[str]]:
    (world.colleague.folder / "images/images.npz").unlink()
    return changed(world.colleague, (), *MOMENTS)


def _committed(world: World) -> None:
    """The producer commits without running; the colleague pulls."""
    world.producer.commit()
    world.producer.git("push", "--quiet")
    world.colleague.tool("pull")


@row("commit whose artifacts were not rebuilt: parameters")
def _(world: World) -> tuple[Plan, set[str]]:
    world.producer.study({"moments.batch_size": 7})
    _committed(world)
    return changed(world.colleague, ("estimate_moments",))


@row("commit whose artifacts were not rebuilt: code")
def _(world: World) -> tuple[Plan, set[str]]:
    world.producer.edit("src/underpainting/analysis/emergence.py", "THRESHOLD = 0.5**0.5", "THRESHOLD = 0.6**0.5")
    _committed(world)
    return changed(world.colleague, ("measure_emergence",))


@row("commit whose artifacts were not rebuilt: data")
def _(world: World) -> tuple[Plan, set[str]]:
    write_images(world.producer, np.zeros((40, 8, 8), np.uint8))
    _committed(world)
    return changed(world.colleague, ("prepare_dataset",), *MOMENTS)


@row("artifact replaced by another")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague
    shutil.copy2(place.folder / BYTES_MOMENTS, place.folder / MIDDLE)
    plan = place.plan()
    return plan, plan.behind({MIDDLE})


@row("one byte flipped, time kept")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague
    flip(place.folder / MIDDLE)
    plan = place.plan()
    return plan, plan.behind({MIDDLE})


def flip(path: Path) -> None:
    """Change one byte and set the time back."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _rebuilt(world: World) -> None:
    """The producer changes a parameter of the study of bytes, runs and pushes."""
    world.producer.study({"eigenbasis": {"rank": 5}}, "bytes")
    world.producer.snakemake("--quiet=all", *MOMENTS)
    world.producer.commit()
    world.producer.tool("push")


@row("update pulled")
def _(world: World) -> tuple[Plan, set[str]]:
    _rebuilt(world)
    world.colleague.tool("pull")
    return changed(world.colleague, (), *MOMENTS)


@row("git pull without pull of the artifacts")
def _(world: World) -> tuple[Plan, set[str]]:
    _rebuilt(world)
    world.colleague.git("pull", "--quiet")
    return changed(world.colleague, ("decompose_covariance",), *MOMENTS)


@row("partial pull: tables, figures and report")
def _(world: World) -> tuple[Plan, set[str]]:
    return changed(_partial(world))


def _partial(world: World) -> Workplace:
    place = world.producer.clone("third")
    names = (
        "tables",
        "figures",
        "report.html",
        "metrics.json",
        "teleport.csv",
        "geometry.csv",
        "models.csv",
        "claims.csv",
        "findings.json",
        "plan.csv",
    )
    place.tool("pull", *(f"results/tiny/{name}" for name in names))
    assert not (place.folder / MIDDLE).exists()
    return place


@row("partial pull, then an early parameter")
def _(world: World) -> tuple[Plan, set[str]]:
    place = _partial(world)
    place.study({"dataset.limit": 190})
    return changed(place, ("prepare_dataset",))


@row("checkout of an old commit and back")
def _(world: World) -> tuple[Plan, set[str]]:
    _rebuilt(world)
    world.producer.tool("hooks")
    world.producer.git("checkout", "--quiet", "HEAD~2")
    assert not world.producer.plan(*MOMENTS).runs()
    world.producer.git("checkout", "--quiet", "main")
    return changed(world.producer, (), *MOMENTS)


@row("two people push different studies")
def _(world: World) -> tuple[Plan, set[str]]:
    for place, name in ((world.producer, "one"), (world.colleague, "two")):
        shutil.copy(place.folder / "config/studies/bytes.yaml", place.folder / f"config/studies/{name}.yaml")
        place.snakemake("--quiet=all", "moments", "--config", f"studies={name}")
        place.commit(name)
    world.producer.tool("push")
    world.colleague.tool("pull")
    world.colleague.tool("push")
    world.producer.tool("pull")
    return changed(world.producer, (), "moments", "--config", "studies=one,two,bytes")


@row("two people push the same study: conflict in manifest and dvc.lock")
def _(world: World) -> tuple[Plan, set[str]]:
    for place, change in (
        (world.producer, {"eigenbasis": {"rank": 6}}),
        (world.colleague, {"eigenbasis": {"rank": 5}}),
    ):
        place.study(change, "bytes")
        place.snakemake("--quiet=all", *MOMENTS)
        place.commit("mine")
    world.producer.tool("push")
    world.colleague.tool("export")
    world.colleague.try_command("git", "add", "workflow/provenance")
    world.colleague.dvc("commit", "--quiet", "--force", "--no-relink", "bytes")
    world.colleague.commit("mine, recorded")
    merged = world.colleague.try_command("python", "-m", "underpainting_workflow", "pull")
    assert "CONFLICT (content): Merge conflict in config/studies/bytes.yaml" in merged.stdout
    assert "workflow/provenance" not in merged.stdout.replace("Auto-merging workflow/provenance", "")
    world.colleague.git("checkout", "--theirs", "config/studies/bytes.yaml")
    world.colleague.commit("merged")
    world.colleague.tool("pull", "--no-git")
    plan = world.colleague.plan(*MOMENTS)
    return plan, plan.behind(plan.of_rules("decompose_covariance"))  # bytes of the colleague, study of the producer


@row("job killed half-way, then shared")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.producer
    shutil.copy(place.folder / "config/studies/bytes.yaml", place.folder / "config/studies/half.yaml")
    broken = place.folder / "scripts/decompose_covariance.py"
    text = broken.read_text()
    broken.write_text(
        text.replace("def main(", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n\n\ndef main(")
    )
    result = place.try_command("snakemake", "--cores", "2", "moments", "--config", "studies=half")
    assert result.returncode != 0
    broken.write_text(text)
    place.commit("half")
    place.tool("push", "half")
    world.colleague.tool("pull")
    return changed(world.colleague, ("decompose_covariance",), "moments", "--config", "studies=half")


@row("project folder moved")
def _(world: World) -> tuple[Plan, set[str]]:
    moved = Workplace(world.folder / "moved", world.folder / "home")
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


@row("clock set back: an input altered, older than what is made of it")
def _(world: World) -> tuple[Plan, set[str]]:
    write_images(world.colleague, np.zeros((40, 8, 8), np.uint8))
    os.utime(world.colleague.folder / "images/images.npz", (0, 1e9))
    return changed(world.colleague, ("prepare_dataset",), *MOMENTS)


@row("snakemake --touch on stale files")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"dataset.limit": 190})
    world.colleague.snakemake("--quiet=all", "--touch")
    told = world.colleague.try_command("underpainting", "status")
    assert told.returncode == 1 and "limit: 200 before, 190 now" in told.stdout
    return changed(world.colleague, ("prepare_dataset",))


@row("manifest edited by hand")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.producer.clone("third")
    place.study({"moments.batch_size": 7})
    place.edit("workflow/provenance/tiny.jsonl", "'batch_size': 1024, 'diagonal'", "'batch_size': 7, 'diagonal'")
    told = place.try_command("python", "-m", "underpainting_workflow", "pull")
    assert f"edited by hand: {MIDDLE}" in told.stdout
    plan = place.plan()
    return plan, plan.behind({MIDDLE})


@row("artifact deleted that is still needed")
def _(world: World) -> tuple[Plan, set[str]]:
    (world.colleague.folder / "results/tiny/claims.csv").unlink()
    plan = world.colleague.plan()
    made_again = plan.of_rules("tabulate_claims")
    return plan, plan.behind(made_again)


def describe(jobs: set[str], plan: Plan) -> str:
    """Jobs in few words: rules with numbers."""
    rules = sorted(str(plan.jobs[name]["rule"]) for name in jobs)
    counted = {rule: rules.count(rule) for rule in rules}
    shown = ", ".join(rule if count == 1 else f"{count} {rule}" for rule, count in list(counted.items())[:4])
    more = len(rules) - sum(list(counted.values())[:4])
    return "nothing" if not rules else shown + (f" and {more} more" if more else "")


@pytest.mark.parametrize("name", list(ROWS))
def test_exactly_what_could_differ_runs(
    name: str, world: World, record_property: Callable[[str, object], None]
) -> None:
    plan, expected = ROWS[name](world)
    actual = plan.runs()
    verdict = "equal" if actual == expected else "NOT EQUAL"
    record_property("scenario", (name, describe(expected, plan), describe(actual, plan), verdict))
    missing, needless = expected - actual, actual - expected
    told = {job: plan.jobs[job]["reason"] for job in needless}
    assert not missing, f"stale: {sorted(missing)}"
    assert not needless, f"needless: {json.dumps(told, indent=1)}"
