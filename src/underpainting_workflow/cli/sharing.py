"""The commands that share results: `push`, `pull`, `restore`, `checkout`, `export`, `hooks`, and git's merge driver."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from snakemake_provenance import hooks, locks, merging, session, sharing, stages
from snakemake_provenance.freshness import State
from snakemake_provenance.layout import SNAKEMAKE
from snakemake_provenance.restoring import Report
from snakemake_provenance.stages import Recording
from snakemake_provenance.tools import ToolFailedError, dvc
from underpainting_workflow.cli import project

RECORDING = Recording(
    metrics=("metrics.json",),
    plots={"teleport.csv": {"x": "skip", "y": "fd"}},
    command="snakemake --cores all --config studies={study}",
)


def register(commands: project.Commands) -> None:
    """Add the commands."""
    command = project.add(commands, "push", _push, "record, commit and upload results (dvc push, git push)")
    project.take_studies(command)
    command.add_argument("-m", "--message", default="Results", help="message of the commit")
    command.add_argument("-r", "--remote", help="DVC remote; default: DVC's own default")
    command = project.add(
        commands, "pull", _pull, "download what others pushed (git pull, dvc pull) and restore Snakemake's records"
    )
    command.add_argument("targets", nargs="*", metavar="TARGET", help="studies, folders or files; default: everything")
    command.add_argument("-r", "--remote", help="DVC remote; default: DVC's own default")
    command.add_argument("--no-git", action="store_true", help="do not pull commits")
    text = "update Snakemake's records after a pull or checkout (every run does this, too)"
    project.add(commands, "restore", _restore, text)
    text = "check out the results of the current commit (dvc checkout) and restore; called by the git hooks"
    project.add(commands, "checkout", _checkout, text)
    project.add(
        commands, "export", _export, "write records of new results to the manifests (every run does this when it ends)"
    )
    text = "install git hooks that restore after checkout and merge, and that merge dvc.lock without conflicts"
    command = project.add(commands, "hooks", _hooks, text)
    command.add_argument("--remove", action="store_true", help="remove the hooks")
    text = "merge dvc.yaml or dvc.lock as git's merge driver; configured by `hooks` and `pull`"
    command = project.add(commands, "merge-dvc-files", _merge, text)
    for name in ("base", "ours", "theirs"):
        command.add_argument(name, type=Path)


def _push(options: argparse.Namespace) -> int:
    locks.require_alone(SNAKEMAKE)
    sharing.push(project.layout(), RECORDING, options.message, print, options.studies, options.remote)
    return 0


def _pull(options: argparse.Namespace) -> int:
    sharing.pull(print, options.targets, options.remote, with_git=not options.no_git)
    return _restore(options)


def _restore(_: argparse.Namespace) -> int:
    reports: list[Report] = []
    alone = locks.hold(SNAKEMAKE, lambda: reports.append(session.take_over(project.layout(), wait=False)))
    if not alone:
        print("a run is in progress: nothing was restored; the next run restores by itself")
        return 1
    project.report(reports[0].problems)
    for status in reports[0].statuses:
        if status.state in (State.STALE, State.UNKNOWN):
            print(f"{status.state:13}{status.path}: {'; '.join(status.reasons)}")
    print(reports[0])
    return int(bool(reports[0].problems))


_KEPT = """Files that DVC does not hold were left unchanged, though they block the checkout.
`underpainting push` on the commit that they belong to keeps them; `dvc checkout --force` discards them."""


def _checkout(options: argparse.Namespace) -> int:
    known = stages.recorded()
    if known:
        try:
            dvc("checkout", "--allow-missing", *known)
        except ToolFailedError as error:
            print(f"{error}\n{_KEPT}", file=sys.stderr)
    return _restore(options)


def _export(_: argparse.Namespace) -> int:
    for file in session.export(project.layout()):
        print(f"wrote {file}")
    return 0


def _hooks(options: argparse.Namespace) -> int:
    if options.remove:
        hooks.remove()
        print("removed")
    else:
        for file in hooks.install():
            print(f"wrote {file}")
    return 0


def _merge(options: argparse.Namespace) -> int:
    for place in merging.merge_files(options.base, options.ours, options.theirs):
        message = f"both sides changed {place}: ours is kept; `underpainting status` shows what must be remade"
        print(message, file=sys.stderr)
    return 0
