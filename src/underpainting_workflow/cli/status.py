"""The commands that inspect results: `status`, `verify`, `why`."""

from __future__ import annotations

import argparse
from pathlib import Path

from snakemake_provenance import session, verifying
from snakemake_provenance.freshness import latest
from snakemake_provenance.hashes import Hashes
from snakemake_provenance.layout import MEMORY
from snakemake_provenance.plan import plan
from snakemake_provenance.status import Condition, status, summary
from snakemake_provenance.why import why
from underpainting_workflow.cli import project

SHOWN, REASONS = 30, 4
GOOD = (Condition.FRESH, Condition.ELSEWHERE)


def register(commands: project.Commands) -> None:
    """Add the commands."""
    command = project.add(commands, "status", _status, "list each result: fresh, stale and why, missing, not recorded")
    project.take_studies(command)
    command.add_argument("--all", action="store_true", help="also list fresh results")
    text = "read every file and list those that differ from the record"
    project.take_studies(project.add(commands, "verify", _verify, text))
    text = "show the inputs, parameters and code behind a file, and what has changed since"
    project.add(commands, "why", _why, text).add_argument("file", metavar="FILE")


def _status(options: argparse.Namespace) -> int:
    jobs = plan(options.studies)
    report = session.look(project.layout())
    lines = status(jobs, report, project.code())
    project.report(report.problems)
    shown = [line for line in lines if options.all or line.condition not in GOOD]
    for line in shown if options.all else shown[:SHOWN]:
        print(f"{line.condition:13}{line.path}")
        for reason in line.why[:REASONS]:
            print(f"{'':13}  {reason}")
    if len(shown) > SHOWN and not options.all:
        print(f"... and {len(shown) - SHOWN} more (--all shows them)")
    print(summary(lines))
    return int(bool(report.problems) or any(line.condition not in GOOD for line in lines))


def _verify(options: argparse.Namespace) -> int:
    layout = project.layout()
    ledger, manifest = project.known()
    paths = [path for path in layout.outputs() if not options.studies or layout.study(path) in options.studies]
    found = verifying.verify(paths, latest(ledger, manifest))
    project.report(manifest.problems)
    for finding in found:
        print(f"{finding.problem:13} {finding.path}")
    print(f"{len(paths)} files read, {len(found)} differ from the record")
    return int(bool(found or manifest.problems))


def _why(options: argparse.Namespace) -> int:
    layout = project.layout()
    study = layout.study(options.file) if Path(options.file).is_relative_to(layout.results) else None
    jobs = plan([study] if study and Path(f"config/studies/{study}.yaml").is_file() else [])
    for line in why(options.file, jobs, session.look(layout), project.code(), layout, Hashes(MEMORY).of):
        print(line)
    return 0
