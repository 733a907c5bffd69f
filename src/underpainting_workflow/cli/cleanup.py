"""The commands that clean up and archive: `gc`, `archive`."""

from __future__ import annotations

import argparse
from pathlib import Path

from snakemake_provenance import garbage, locks, session
from snakemake_provenance.crate import UnfinishedError, archive
from snakemake_provenance.freshness import State
from snakemake_provenance.layout import SNAKEMAKE
from snakemake_provenance.plan import plan
from snakemake_provenance.status import Condition, status
from snakemake_provenance.tools import uncommitted
from underpainting_workflow.cli import project

KEPT = ("*.checkpoint.safetensors",)  # from which a killed training resumes


def register(commands: project.Commands) -> None:
    """Add the commands."""
    text = "list files that no manifest mentions or that the workflow no longer makes; --delete removes them"
    command = project.add(commands, "gc", _gc, text)
    project.take_studies(command)
    command.add_argument("--delete", action="store_true", help="remove them from disk and manifests")
    text = "pack a finished study and its provenance into an RO-Crate (zip)"
    command = project.add(commands, "archive", _archive, text)
    command.add_argument("study", metavar="STUDY")
    command.add_argument("target", metavar="FILE.zip")


def _gc(options: argparse.Namespace) -> int:
    layout = project.layout()
    session.export(layout)  # results of a killed run are not garbage
    ledger, manifest = project.known()
    planned = {path for job in plan(options.studies) for path in job.outputs}
    studies = {layout.study(path) for path in planned}
    unknown = garbage.unmentioned(layout, manifest, planned, studies, KEPT)
    obsolete = garbage.obsolete(layout, manifest, planned, studies)
    for path in unknown:
        print(f"in no manifest      {path}")
    for path in obsolete:
        print(f"no longer made      {path}")
    if not options.delete:
        print(f"{len(unknown) + len(obsolete)} files; --delete removes them")
        return 0
    locks.require_alone(SNAKEMAKE)
    freed = garbage.remove(layout, ledger, manifest, [*unknown, *obsolete])
    ledger.save()
    message = f"removed {len(unknown) + len(obsolete)} files, {freed / 1e6:.1f} MB"
    print(f"{message}; `dvc gc --workspace` frees DVC's cache of old versions")
    return 0


def _archive(options: argparse.Namespace) -> int:
    layout = project.layout()
    lines = status(plan([options.study]), session.look(layout), project.code())
    own = [line for line in lines if layout.study(line.path) == options.study]
    if wrong := [line.path for line in own if line.condition is not Condition.FRESH]:
        message = f"{len(wrong)} results of {options.study} are missing or not fresh ({wrong[0]})"
        raise UnfinishedError(f"{message}: run it first")
    if changed := uncommitted():
        raise UnfinishedError(
            f"{changed[0]} is not committed: commit it first, since the archive holds the committed code"
        )
    facts = [status.fact for status in session.look(layout).statuses if status.fact and status.state is State.FRESH]
    chosen = [fact for fact in facts if layout.study(fact.path) == options.study]
    extra = [Path(f"config/studies/{options.study}.yaml"), layout.manifest(options.study)]
    count = archive(chosen, options.study, [path for path in extra if path.is_file()], Path(options.target))
    print(f"{options.target}: {count} results and the workflow that made them")
    return 0
