"""After any change the jobs that run are exactly those whose result could differ: what is special to this workflow.

Each row changes the study or the code, and compares the jobs that Snakemake then plans with the least correct set: the jobs that
the change affects and all that is made of what they make. `tests/provenance/test_scenarios.py` has the changes that any
workflow knows: clones, commits, altered results, file times, two people. The rows are printed as a table at the end of the run.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from snakemake_provenance import code
from tests.workflow.workplace import Plan, Workplace
from tests.workflow.world import World
from underpainting_workflow import jobs

Row = Callable[[World], tuple[Plan, set[str]]]
ROWS: dict[str, Row] = {}

MIDDLE = "results/tiny/moments.zarr.zip"


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


@row("fresh clone and pull")
def _(world: World) -> tuple[Plan, set[str]]:
    return changed(world.colleague)


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


@row("the same study in other words: jumps in another order, threads, a default written out, 1 for 1.0")
def _(world: World) -> tuple[Plan, set[str]]:
    jumps = [
        {"name": "mixture", "skipped_percent": [80]},
        {"name": "isotropic", "skipped_percent": [50]},
        {"name": "gaussian", "skipped_percent": [50, 80]},
    ]
    written = {"device": "cpu", "denoiser.threads": 2, "precision": "float32", "score.ratios": [0.1, 1]}
    world.colleague.study({"low_nfe.jumps": jumps, **written})
    return changed(world.colleague)


@row("late parameters: a figure's style, the title in the report")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"figures.dpi": 61, "title": "Renamed"})
    plan = world.colleague.plan()
    return plan, {name for name, job in plan.jobs.items() if job["rule"].startswith(("figure_", "render_"))}


@row("library edited, used by one rule")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.edit("src/underpainting/analysis/emergence.py", "THRESHOLD = 0.5**0.5", "THRESHOLD = 0.6**0.5")
    return changed(world.colleague, ("measure_emergence",))


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


@row("more seeds, samplers added")
def _(world: World) -> tuple[Plan, set[str]]:
    chosen = {"ddim": 6, "heun": 4, "euler": 5, "relative": 4}
    samplers = [{"name": name, "steps": steps} for name, steps in chosen.items()]
    samplers.append({"name": "ddim", "steps": 6, "coloured_start": True})
    world.colleague.study({"trajectories.seeds": 16, "trajectories.samplers": samplers})
    plan = world.colleague.plan()
    sampled = {name for name in plan.jobs if "/trajectories/" in name}
    added = ("seeds_8-16", "euler-5", "relative-4", "ddim-6-coloured")
    new = {name for name in sampled if any(part in name for part in added)}
    return plan, plan.behind(new)


@row("grid of the sweep at few calls added")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"low_nfe.grids": ["covariance", "time", "karras"]})
    plan = world.colleague.plan()
    new = {name for name in plan.jobs if "/low_nfe/unipc-2-covariance/" in name}
    assert len(new) == 1, "without a jump"
    return plan, plan.behind(new)


@row("skipped steps added")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"teleport.skipped_steps": [0, 2, 4]})
    plan = world.colleague.plan()
    new = {name for name in plan.jobs if "/skipped_4/samples" in name}
    assert len(new) == 2, "of the sweep and of its null model"
    return plan, plan.behind(new | plan.of_rules("solve_jumps"))


@row("skipped steps removed")
def _(world: World) -> tuple[Plan, set[str]]:
    world.colleague.study({"teleport.skipped_steps": [0]})
    return changed(world.colleague, ("tabulate_teleport", "solve_jumps", "figure_hybrid"))


@row("study added")
def _(world: World) -> tuple[Plan, set[str]]:
    place = world.colleague
    shutil.copy(place.folder / "config/studies/tiny.yaml", place.folder / "config/studies/other.yaml")
    plan = place.plan("--config", "studies=tiny,other")
    return plan, {name for name in plan.jobs if not name.startswith("results/tiny/")}


def flip(path: Path) -> None:
    """Change one byte and set the time back."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


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
