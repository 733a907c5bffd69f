"""Commands for what is finished: `gc`, `archive`."""

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

KEPT = ("*.checkpoint.safetensors",)  # a killed training goes on from it


def register(commands: project.Commands) -> None:
    """Add the commands."""
    text = "what no manifest mentions and what the workflow no longer makes; --delete removes it"
    command = project.add(commands, "gc", _gc, text)
    project.take_studies(command)
    command.add_argument("--delete", action="store_true", help="remove it from disk and manifests")
    text = "pack a finished study with its provenance into an RO-Crate (zip)"
    command = project.add(commands, "archive", _archive, text)
    command.add_argument("study", metavar="STUDY")
    command.add_argument("target", metavar="FILE.zip")


def _gc(options: argparse.Namespace) -> int:
    layout = project.layout()
    session.export(layout)  # what a killed run made is no garbage
    ledger, manifest = project.known()
    made = {path for job in plan(options.studies) for path in job.outputs}
    studies = {layout.study(path) for path in made}
    strange = garbage.unmentioned(layout, manifest, made, studies, KEPT)
    vain = garbage.obsolete(layout, manifest, made, studies)
    for path in strange:
        print(f"in no manifest      {path}")
    for path in vain:
        print(f"no longer made      {path}")
    if not options.delete:
        print(f"{len(strange) + len(vain)} files; --delete removes them")
        return 0
    locks.require_alone(SNAKEMAKE)
    freed = garbage.remove(layout, ledger, manifest, [*strange, *vain])
    ledger.save()
    message = f"removed {len(strange) + len(vain)} files, {freed / 1e6:.1f} MB"
    print(f"{message}; `dvc gc --workspace` frees DVC's cache of old versions")
    return 0


def _archive(options: argparse.Namespace) -> int:
    layout = project.layout()
    lines = status(plan([options.study]), session.look(layout), project.code())
    own = [line for line in lines if layout.study(line.path) == options.study]
    if wrong := [line.path for line in own if line.condition is not Condition.FRESH]:
        message = f"{len(wrong)} results of {options.study} are not here or not fresh ({wrong[0]})"
        raise UnfinishedError(f"{message}: run it first")
    if changed := uncommitted():
        raise UnfinishedError(
            f"{changed[0]} is not committed: commit first, since the archive holds the committed code"
        )
    facts = [status.fact for status in session.look(layout).statuses if status.fact and status.state is State.FRESH]
    chosen = [fact for fact in facts if layout.study(fact.path) == options.study]
    extra = [Path(f"config/studies/{options.study}.yaml"), layout.manifest(options.study)]
    count = archive(chosen, options.study, [path for path in extra if path.is_file()], Path(options.target))
    print(f"{options.target}: {count} results and the workflow that made them")
    return 0
