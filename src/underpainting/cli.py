"""The command `underpainting`: results of a project, their state, and how they travel. Thin shells over git, DVC and
Snakemake.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from underpainting.provenance import (
    garbage,
    hooks,
    locks,
    merging,
    session,
    sharing,
    stages,
    verifying,
)
from underpainting.provenance import manifest as manifests
from underpainting.provenance.crate import UnfinishedError, archive
from underpainting.provenance.hashes import Hashes
from underpainting.provenance.judgement import State, latest
from underpainting.provenance.layout import MEMORY, Layout
from underpainting.provenance.ledger import Ledger
from underpainting.provenance.plan import Job, WorkflowFailedError, plan
from underpainting.provenance.restoring import Report
from underpainting.provenance.stages import Recording
from underpainting.provenance.status import Condition, Line, status, summary
from underpainting.provenance.tools import ToolFailedError, dvc
from underpainting.provenance.why import NotAnArtifactError, why
from underpainting.studies.loading import data_folder

RECORDING = Recording(
    metrics=("metrics.json",),
    plots={"teleport.csv": {"x": "skip", "y": "fd"}},
    command="snakemake --cores all --config studies={study}",
)
SHOWN = 30
SNAKEMAKE = Path(".snakemake")
ERRORS = (
    locks.RunUnderWayError,
    sharing.NothingToShareError,
    hooks.HookInTheWayError,
    UnfinishedError,
    NotAnArtifactError,
    ToolFailedError,
    WorkflowFailedError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 all well, 1 something is not as it should be, 2 it could not be done."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if options.action not in (_merge,) and not Path("Snakefile").is_file():
        print("underpainting: there is no Snakefile here; go to the project's folder", file=sys.stderr)
        return 2
    try:
        return int(options.action(options))
    except BrokenPipeError:  # as in `underpainting why FILE | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ERRORS as error:
        print(f"underpainting {options.command}: {error}", file=sys.stderr)
        return 2


def layout() -> Layout:
    """The project in the working folder."""
    file = Path("config/config.yaml")
    config = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Layout(places={"{data}": data_folder(config or {}, {})})


def _known() -> tuple[Ledger, manifests.Manifest]:
    ledger = Ledger()
    ledger.load()
    return ledger, manifests.read_all(Path(layout().manifests))


def _code() -> dict[str, dict[str, str]]:
    ledger, manifest = _known()
    return {**manifest.code, **ledger.code}


def _problems(found: Sequence[str]) -> None:
    for problem in found:
        print(f"does not count: {problem}")


def _lines(options: argparse.Namespace) -> tuple[list[Line], list[Job], list[str]]:
    jobs = plan(options.studies)
    report = session.look(layout())
    return status(jobs, report, _code()), jobs, report.problems


def _status(options: argparse.Namespace) -> int:
    lines, _, problems = _lines(options)
    _problems(problems)
    shown = [line for line in lines if options.all or line.condition not in (Condition.FRESH, Condition.ELSEWHERE)]
    for line in shown if options.all else shown[:SHOWN]:
        print(f"{line.condition:13}{line.path}")
        for reason in line.why[:4]:
            print(f"{'':13}  {reason}")
    if len(shown) > SHOWN and not options.all:
        print(f"... and {len(shown) - SHOWN} more (--all shows them)")
    print(summary(lines))
    return int(bool(problems) or any(line.condition not in (Condition.FRESH, Condition.ELSEWHERE) for line in lines))


def _restore(_: argparse.Namespace) -> int:
    reports: list[Report] = []
    alone = locks.hold(SNAKEMAKE, lambda: reports.append(session.begin(layout())))
    if not alone:
        print("a run is under way: nothing was restored; the next run restores by itself")
        return 1
    _problems(reports[0].problems)
    for verdict in reports[0].verdicts:
        if verdict.state in (State.STALE, State.UNKNOWN):
            print(f"{verdict.state:13}{verdict.path}: {'; '.join(verdict.reasons)}")
    print(reports[0])
    return int(bool(reports[0].problems))


def _checkout(options: argparse.Namespace) -> int:
    known = stages.recorded()
    if known:
        try:
            dvc("checkout", "--quiet", "--allow-missing", *known)
        except ToolFailedError as error:
            print(error, file=sys.stderr)
    return _restore(options)


def _push(options: argparse.Namespace) -> int:
    locks.require_alone(SNAKEMAKE)
    sharing.push(layout(), RECORDING, options.message, print, options.studies, options.remote)
    return 0


def _pull(options: argparse.Namespace) -> int:
    sharing.pull(print, options.targets, options.remote, with_git=not options.no_git)
    return _restore(options)


def _export(_: argparse.Namespace) -> int:
    for file in session.export(layout()):
        print(f"wrote {file}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    place = layout()
    ledger, manifest = _known()
    paths = [path for path in place.outputs() if not options.studies or place.study(path) in options.studies]
    found = verifying.verify(paths, latest(ledger, manifest))
    _problems(manifest.problems)
    for finding in found:
        print(f"{finding.problem:13} {finding.path}")
    print(f"{len(paths)} files read, {len(found)} not as recorded")
    return int(bool(found or manifest.problems))


def _why(options: argparse.Namespace) -> int:
    place = layout()
    study = place.study(options.file) if Path(options.file).is_relative_to(place.results) else None
    jobs = plan([study] if study and Path(f"config/studies/{study}.yaml").is_file() else [])
    for line in why(options.file, jobs, session.look(place), _code(), place, Hashes(MEMORY).of):
        print(line)
    return 0


def _gc(options: argparse.Namespace) -> int:
    place = layout()
    ledger, manifest = _known()
    jobs = plan(options.studies)
    made = {path for job in jobs for path in job.outputs}
    studies = {place.study(path) for path in made}
    strange = [path for path in garbage.unmentioned(place, manifest) if path not in made]
    vain = garbage.obsolete(place, manifest, made, studies)
    for path in strange:
        print(f"in no manifest      {path}")
    for path in vain:
        print(f"no longer made      {path}")
    if not options.delete:
        print(f"{len(strange) + len(vain)} files; --delete removes them")
        return 0
    locks.require_alone(SNAKEMAKE)
    freed = garbage.remove(place, ledger, manifest, [*strange, *vain])
    ledger.save()
    print(
        f"removed {len(strange) + len(vain)} files, {freed / 1e6:.1f} MB; `dvc gc --workspace` frees DVC's cache of old versions"
    )
    return 0


def _archive(options: argparse.Namespace) -> int:
    place = layout()
    lines = status(plan([options.study]), session.look(place), _code())
    wrong = [
        line.path for line in lines if place.study(line.path) == options.study and line.condition is not Condition.FRESH
    ]
    if wrong:
        raise UnfinishedError(
            f"{len(wrong)} results of {options.study} are not here or not fresh ({wrong[0]}): run it first"
        )
    facts = [verdict.fact for verdict in session.look(place).verdicts if verdict.fact and verdict.state is State.FRESH]
    chosen = [fact for fact in facts if place.study(fact.path) == options.study]
    extra = [Path(f"config/studies/{options.study}.yaml"), place.manifest(options.study)]
    count = archive(chosen, options.study, [path for path in extra if path.is_file()], Path(options.target))
    print(f"{options.target}: {count} results and the workflow that made them")
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
        print(
            f"both sides changed {place}: ours is kept; `underpainting status` shows what is to be made anew",
            file=sys.stderr,
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="underpainting", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, action: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        return command

    def studies(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "studies", nargs="*", metavar="STUDY", help="those chosen; else all that are configured or recorded"
        )

    command = add("status", _status, "each artifact: fresh, stale and why, missing, not recorded")
    studies(command)
    command.add_argument("--all", action="store_true", help="list the fresh ones, too")
    command = add("push", _push, "record results, commit them, send them (dvc push, git push)")
    studies(command)
    command.add_argument("-m", "--message", default="Results", help="of the commit")
    command.add_argument("-r", "--remote", help="DVC's remote, if not its default")
    command = add("pull", _pull, "fetch what others pushed (git pull, dvc pull) and restore")
    command.add_argument("targets", nargs="*", metavar="TARGET", help="studies, folders or files; else everything")
    command.add_argument("-r", "--remote", help="DVC's remote, if not its default")
    command.add_argument("--no-git", action="store_true", help="fetch bytes only")
    add("restore", _restore, "set Snakemake's records right after a pull or checkout (every run does it, too)")
    add(
        "checkout",
        _checkout,
        "bring results to the state of the commit (dvc checkout) and restore; the git hooks call it",
    )
    add("export", _export, "write what was made into the manifests (every run does it at its end)")
    command = add("verify", _verify, "read every byte again; list files that are not as recorded")
    studies(command)
    command = add("why", _why, "the chain of inputs, parameters and code behind a file, and what differs now")
    command.add_argument("file", metavar="FILE")
    command = add("gc", _gc, "what no manifest mentions and what the workflow no longer makes; --delete removes it")
    studies(command)
    command.add_argument("--delete", action="store_true", help="remove it from disk and manifests")
    command = add("archive", _archive, "pack a finished study with its provenance into an RO-Crate (zip)")
    command.add_argument("study", metavar="STUDY")
    command.add_argument("target", metavar="FILE.zip")
    command = add(
        "hooks", _hooks, "git hooks that restore after checkout and merge, and merge dvc.lock without conflicts"
    )
    command.add_argument("--remove", action="store_true", help="take the hooks away")
    command = add(
        "merge-dvc-files", _merge, "git's merge driver for dvc.yaml and dvc.lock; `hooks` and `pull` configure it"
    )
    for name in ("base", "ours", "theirs"):
        command.add_argument(name, type=Path)
    return parser
