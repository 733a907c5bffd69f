"""The command `forecast`: estimate the cost of a study before it runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from snakemake_provenance.command_line import Commands, add
from snakemake_provenance.plan import plan
from snakemake_provenance.variant import variant
from underpainting.io.errors import InputError, Problem, problems_of
from underpainting_workflow.cli import project
from underpainting_workflow.cli.project import UNKNOWN
from underpainting_workflow.forecast import Row, forecast, measured_rates, total
from underpainting_workflow.studies import AnyStudy, Study, costs, load_any, plain_yaml
from underpainting_workflow.studies.loading import study_name

HEADINGS = ("rule", "jobs", "of", "evaluations", "of", "GB", "of", "hours", "requested MB", "requested minutes")


def register(commands: Commands) -> None:
    """Add the command `forecast`."""
    text = "estimate what a study takes: jobs, network calls, hours, bytes, memory; nothing is run"
    command = add(commands, "forecast", _forecast, text)
    command.add_argument("study", metavar="STUDY")
    command.add_argument(
        "--seeds", type=int, metavar="N", help="images per number of skipped steps, in place of the study's"
    )
    command.add_argument(
        "--skipped-steps", type=_numbers, metavar="K,K,...", help="skipped steps of the sweep, in place of the study's"
    )
    command.add_argument(
        "--sampler", type=_sampler, metavar="NAME-STEPS", help="the only sampler of the sweep, in place of the study's"
    )
    command.add_argument("--shard-size", type=int, metavar="N", help="images per job, in place of the study's")
    text = "network evaluations per second, one image each; default: measured in earlier jobs of the study"
    command.add_argument("--rate", type=_rate, metavar="PER_SECOND", help=text)
    command.add_argument("--until", metavar="TARGET", help="only the jobs of this target, such as teleport")


def _forecast(options: argparse.Namespace) -> int:
    with _project(options) as (folder, study):
        targets = [options.until] if options.until else []
        snakefile = ["--snakefile", str(Path("Snakefile").resolve())]
        jobs = plan(targets, [*snakefile, *project.settings().planning([options.study])], folder)
    rates, mean = ({}, options.rate) if options.rate else measured_rates(Path("logs"), [options.study])
    rows = forecast(jobs, study, rates, mean)
    shown = _shown(rows)
    for line in project.columns([HEADINGS, *map(_cells, [*shown, total(shown)])]):
        print(line)
    for line in _remarks(rows, rates, mean):
        print(line)
    return 0


@contextmanager
def _project(options: argparse.Namespace) -> Iterator[tuple[Path, AnyStudy]]:
    """Yield the project's folder and study, or those of a temporary variant with another sweep."""
    with problems_of("the command line"):
        file = Path("config/studies") / f"{study_name(options.study)}.yaml"
    data = project.settings().places["{data}"]
    study, changes = load_any(file, data), _changes(options)
    if not changes:
        yield Path(), study
        return
    if not isinstance(study, Study):
        problem = f"{options.study} is a {study.kind} study, which has no sweep to change"
        raise InputError(Problem(problem, f"leave out {', '.join(changes)}", file="the command line"))
    content = plain_yaml.read(file)
    content["teleport"].update(changes)
    with variant(file, json.dumps(content)) as folder:  # JSON is YAML
        try:
            study = load_any(folder / file, data)
        except InputError as error:  # about an option, in a temporary file
            raise InputError(*(replace(found, file="the options given") for found in error.problems)) from error
        yield folder, study


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keys of the sweep that differ from the study file."""
    given = {
        "seeds": options.seeds,
        "skipped_steps": options.skipped_steps,
        "samplers": options.sampler,
        "shard_size": options.shard_size,
    }
    return {key: value for key, value in given.items() if value is not None}


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _sampler(text: str) -> list[dict[str, Any]]:
    name, _, steps = text.rpartition("-")
    return [{"name": name, "steps": int(steps)}]


def _rate(text: str) -> float:
    rate = float(text)
    if not rate > 0:
        raise argparse.ArgumentTypeError(f"{text} is not a rate: give a number above 0")
    return rate


def _shown(rows: Sequence[Row]) -> list[Row]:
    """Order the rules by cost, and combine those of a single cheap job."""
    large = [row for row in rows if row.all.evaluations or row.all.trained or row.all.size or row.all.jobs > 1]
    small = [row for row in rows if row not in large]
    ordered = sorted(large, key=lambda row: (-row.all.evaluations, -row.all.jobs))
    return [*ordered, total(small, f"{len(small)} other rules")] if small else ordered


def _cells(row: Row) -> tuple[str, ...]:
    hours = None if row.seconds is None else row.seconds / 3600
    return (
        row.rule,
        *(f"{load.jobs}" for load in (row.pending, row.all)),
        *(f"{load.evaluations:,}" if row.all.evaluations else UNKNOWN for load in (row.pending, row.all)),
        *(_cell((load.size or 0) / 1e9, ".3g") if row.all.size else UNKNOWN for load in (row.pending, row.all)),
        _cell(hours, ".3g") if row.all.evaluations or row.all.trained else UNKNOWN,
        _cell(row.memory, ".0f"),
        _cell(row.runtime, ".0f"),
    )


def _cell(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)


def _remarks(rows: Sequence[Row], rates: Mapping[str, float], rate: float | None) -> Iterator[str]:
    """Yield sentences that explain the numbers of the table."""
    yield "jobs, evaluations, GB: pending, of all. An evaluation is one image through the network once."
    yield "GB: of trajectories, samples and features, from their shapes; other files do not grow with seeds and jumps."
    if rate is None:
        yield "hours: unknown before a job has run here; --rate sets the network evaluations per second"
    else:
        source = "measured in earlier jobs" if rates else "as given"
        each = f"a training image counts as {costs.BACKWARD}"
        yield f"hours: within networks alone, at {rate:.4g} evaluations per second ({source}); {each}"
    largest = max(rows, key=lambda row: row.pending.jobs)
    if largest.pending.jobs:
        yield f"largest job array: {largest.pending.jobs} jobs of {largest.rule}"
