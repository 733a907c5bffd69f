"""The command that looks ahead: `forecast`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snakemake_provenance.plan import plan
from snakemake_provenance.variant import variant
from underpainting_workflow.cli import project
from underpainting_workflow.cli.project import UNKNOWN
from underpainting_workflow.forecast import Row, forecast, measured_rates, total
from underpainting_workflow.studies import Study, StudyError, costs, load_study, plain_yaml
from underpainting_workflow.studies.loading import study_name

HEAD = ("rule", "jobs", "of", "NFE", "of", "GB", "of", "hours", "MB asked", "minutes asked")


def register(commands: project.Commands) -> None:
    """Add the command."""
    text = "what a study would take: jobs, network calls, hours, bytes, memory; nothing is run"
    command = project.add(commands, "forecast", _forecast, text)
    command.add_argument("study", metavar="STUDY")
    command.add_argument("--seeds", type=int, metavar="N", help="as if the sweep had so many images per skip")
    command.add_argument("--skips", type=_numbers, metavar="K,K,...", help="as if the sweep had these skips")
    command.add_argument(
        "--sampler", type=_sampler, metavar="NAME-STEPS", help="as if the sweep had this sampler alone"
    )
    command.add_argument("--shard-size", type=int, metavar="N", help="as if the sweep had so many images per job")
    text = "network calls per second, one image each; else as measured in earlier jobs of the study"
    command.add_argument("--rate", type=_rate, metavar="NFE_PER_S", help=text)
    command.add_argument("--until", metavar="TARGET", help="look no further than this target, such as teleport")


def _forecast(options: argparse.Namespace) -> int:
    with _project(options) as (folder, study):
        targets = [options.until] if options.until else []
        snakefile = ["--snakefile", str(Path("Snakefile").resolve())]
        jobs = plan([options.study], targets, snakefile, folder)
    rates, mean = ({}, options.rate) if options.rate else measured_rates(Path("logs"), [options.study])
    rows = forecast(jobs, study, rates, mean)
    shown = _shown(rows)
    for line in project.columns([HEAD, *map(_cells, [*shown, total(shown)])]):
        print(line)
    for line in _remarks(rows, rates, mean):
        print(line)
    return 0


@contextmanager
def _project(options: argparse.Namespace) -> Iterator[tuple[Path, Study]]:
    """The project, or one that differs from it in the sweep, and its study."""
    file = Path("config/studies") / f"{study_name(options.study, 'the command line')}.yaml"
    data = project.layout().places["{data}"]
    study, changes = load_study(file, data), _changes(options)
    if not changes:
        yield Path(), study
        return
    content = plain_yaml.read(file)
    content["teleport"].update(changes)
    with variant(file, json.dumps(content)) as folder:  # JSON is YAML
        try:
            study = load_study(folder / file, data)
        except StudyError as error:  # of what was typed, in a file that nobody knows
            raise StudyError("the options given", error.key, error.problem, error.remedy) from error
        yield folder, study


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """Keys of the sweep that are other than in the study file."""
    given = {
        "seeds": options.seeds,
        "skips": options.skips,
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
        raise argparse.ArgumentTypeError(f"{text} is no rate: give a number above 0")
    return rate


def _shown(rows: Sequence[Row]) -> list[Row]:
    """The rules that take most first; what is one light job is put together at the end."""
    great = [row for row in rows if row.whole.calls or row.whole.trained or row.whole.size or row.whole.jobs > 1]
    small = [row for row in rows if row not in great]
    ordered = sorted(great, key=lambda row: (-row.whole.calls, -row.whole.jobs))
    return [*ordered, total(small, f"{len(small)} other rules")] if small else ordered


def _cells(row: Row) -> tuple[str, ...]:
    hours = None if row.seconds is None else row.seconds / 3600
    return (
        row.rule,
        *(f"{load.jobs}" for load in (row.run, row.whole)),
        *(f"{load.calls:,}" if row.whole.calls else UNKNOWN for load in (row.run, row.whole)),
        *(_cell((load.size or 0) / 1e9, ".3g") if row.whole.size else UNKNOWN for load in (row.run, row.whole)),
        _cell(hours, ".3g") if row.whole.calls or row.whole.trained else UNKNOWN,
        _cell(row.memory, ".0f"),
        _cell(row.runtime, ".0f"),
    )


def _cell(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)


def _remarks(rows: Sequence[Row], rates: Mapping[str, float], rate: float | None) -> Iterator[str]:
    """What the numbers mean."""
    yield "jobs, NFE, GB: to run and in all. NFE: network calls, one image each."
    yield "GB: of trajectories, samples and features, from their shapes; the rest does not grow with seeds and skips."
    if rate is None:
        yield "hours: not known before a job has run here; --rate gives network calls per second"
    else:
        source = "measured in earlier jobs" if rates else "given"
        each = f"a training image counts {costs.BACKWARD}"
        yield f"hours: in networks alone, at {rate:.4g} calls per second ({source}); {each}"
    largest = max(rows, key=lambda row: row.run.jobs)
    if largest.run.jobs:
        yield f"largest array: {largest.run.jobs} jobs of {largest.rule}"
