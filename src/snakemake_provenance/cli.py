"""The command `snakemake-provenance`: show the state of results, record, push, pull and archive them.

Thin wrappers around git, DVC and Snakemake. A package that has a command line can register the same commands in it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from snakemake_provenance import (
    comparing,
    garbage,
    hooks,
    locks,
    merging,
    session,
    sharing,
    stages,
    verifying,
    versions,
)
from snakemake_provenance import manifest as manifests
from snakemake_provenance.command_line import Commands, add, run
from snakemake_provenance.freshness import State, latest
from snakemake_provenance.hashes import Hashes
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.plan import plan
from snakemake_provenance.restoring import Report
from snakemake_provenance.settings import MEMORY, SNAKEMAKE, Settings
from snakemake_provenance.status import Condition, status, summary
from snakemake_provenance.tools import ToolFailedError, dvc, uncommitted
from snakemake_provenance.why import why

SHOWN, REASONS, PROBLEMS = 30, 4, 20  # lines that are printed
GOOD = (Condition.FRESH, Condition.ELSEWHERE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 success, 1 problems were found, 2 the command failed."""
    parser = argparse.ArgumentParser(
        prog="snakemake-provenance", description="Results of a Snakemake workflow: their state, and how they travel."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    register(commands, Settings.read, "section")
    return run(parser, arguments)


def register(commands: Commands, settings: Callable[[], Settings], word: str) -> None:
    """Add the commands of this package.

    Args:
        settings: reads the settings of the project in the working folder.
        word: name for a section of the results.
    """

    def new(name: str, action: Callable[[Settings, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        return add(commands, name, lambda options: action(settings(), options), text)

    _register_inspection(new, word)
    _register_sharing(new, word)
    _register_upkeep(new, word)


def _take_sections(command: argparse.ArgumentParser, word: str) -> None:
    text = f"names of {word}s; default: all that are configured or recorded"
    command.add_argument("sections", nargs="*", metavar=word.upper(), help=text)


def _known(settings: Settings) -> tuple[Ledger, manifests.Manifest]:
    """Return the ledger of this clone and the shared manifest."""
    ledger = Ledger()
    ledger.load()
    return ledger, manifests.read_all(settings)


def _code(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the digests of code files, by their combined digest."""
    ledger, manifest = _known(settings)
    return {**manifest.code, **ledger.code}


def _print_problems(problems: Sequence[str]) -> None:
    """Print the lines of manifests that are ignored, and why."""
    for problem in problems[:PROBLEMS]:
        print(f"ignored: {problem}")
    if len(problems) > PROBLEMS:
        print(f"ignored: {len(problems) - PROBLEMS} more lines")


# status, verify, why, diff


def _register_inspection(new: Any, word: str) -> None:
    command = new("status", _status, "list each result: fresh, stale and why, missing, not recorded")
    _take_sections(command, word)
    command.add_argument("--all", action="store_true", help="also list fresh results")
    command = new("verify", _verify, "read every file and list those that differ from the record")
    _take_sections(command, word)
    text = "show the inputs, parameters and code behind a file, and what has changed since"
    new("why", _why, text).add_argument("file", metavar="FILE")
    text = "compare the results of two versions: which differ, from which cause, and the numbers that changed"
    command = new("diff", _diff, text)
    command.add_argument("before", metavar="BEFORE", help="a commit, or the folder of another clone")
    command.add_argument("after", metavar="AFTER", nargs="?", default=".", help="likewise; default: this folder")
    command.add_argument("--only", metavar=word.upper(), action="append", default=[], help=f"report this {word}")
    command.add_argument("--all", action="store_true", help="list every result, also those made from others")
    command.add_argument("--json", action="store_true", help="print everything as JSON")


def _status(settings: Settings, options: argparse.Namespace) -> int:
    jobs = plan(options=settings.planning(options.sections))
    report = session.look(settings)
    lines = [line for line in status(jobs, report, _code(settings)) if settings.is_output(line.path)]
    if options.sections:
        lines = [line for line in lines if settings.section(line.path) in (*options.sections, settings.top)]
    _print_problems(report.problems)
    shown = [line for line in lines if options.all or line.condition not in GOOD]
    for line in shown if options.all else shown[:SHOWN]:
        print(f"{line.condition:13}{line.path}")
        for reason in line.why[:REASONS]:
            print(f"{'':13}  {reason}")
    if len(shown) > SHOWN and not options.all:
        print(f"... and {len(shown) - SHOWN} more (--all shows them)")
    print(summary(lines))
    return int(bool(report.problems) or any(line.condition not in GOOD for line in lines))


def _verify(settings: Settings, options: argparse.Namespace) -> int:
    ledger, manifest = _known(settings)
    paths = [path for path in settings.outputs() if not options.sections or settings.section(path) in options.sections]
    found = verifying.verify(paths, latest(ledger, manifest))
    _print_problems(manifest.problems)
    for finding in found:
        print(f"{finding.problem:13} {finding.path}")
    print(f"{len(paths)} files read, {len(found)} differ from the record")
    return int(bool(found or manifest.problems))


def _why(settings: Settings, options: argparse.Namespace) -> int:
    section = settings.section(options.file) if settings.is_output(options.file) else settings.top
    known = section != settings.top and all(Path(name.format(section)).is_file() for name in settings.section_files)
    jobs = plan(options=settings.planning([section] if known else []))
    for line in why(options.file, jobs, session.look(settings), _code(settings), settings, Hashes(MEMORY).of):
        print(line)
    return 0


def _diff(settings: Settings, options: argparse.Namespace) -> int:
    names = (options.before, options.after)
    before, after = (versions.version(name, settings) for name in names)
    problems = [*before.problems, *after.problems]
    found = comparing.compare(before, after, settings, options.only)
    lines = [comparing.document(found)] if options.json else comparing.describe(found, *names, options.all)
    if not options.json:
        _print_problems(problems)
    for line in lines:
        print(line)
    return int(bool(problems))


# record, push, pull, restore, checkout, export, hooks, and git's merge driver


def _register_sharing(new: Any, word: str) -> None:
    text = "write manifests and dvc.yaml, and put the bytes into DVC's cache; nothing is committed or uploaded"
    _take_sections(new("record", _record, text), word)
    command = new("push", _push, "record, commit and upload results (dvc push, git push)")
    _take_sections(command, word)
    command.add_argument("-m", "--message", default="Results", help="message of the commit")
    command.add_argument("-r", "--remote", help="DVC remote; default: DVC's own default")
    command = new("pull", _pull, "download what others pushed (git pull, dvc pull) and restore Snakemake's records")
    command.add_argument("targets", nargs="*", metavar="TARGET", help=f"{word}, folder or file; default: everything")
    command.add_argument("-r", "--remote", help="DVC remote; default: DVC's own default")
    command.add_argument("--no-git", action="store_true", help="do not pull commits")
    new("restore", _restore, "update Snakemake's records after a pull or checkout (every run does this, too)")
    text = "check out the results of the current commit (dvc checkout) and restore; called by the git hooks"
    new("checkout", _checkout, text)
    new("export", _export, "write records of new results to the manifests (every run does this when it ends)")
    text = "install git hooks that restore after checkout and merge, and that merge dvc.lock without conflicts"
    new("hooks", _hooks, text).add_argument("--remove", action="store_true", help="remove the hooks")
    text = "merge dvc.yaml or dvc.lock as git's merge driver; configured by `hooks` and `pull`"
    command = new("merge-dvc-files", _merge, text)
    for name in ("base", "ours", "theirs"):
        command.add_argument(name, type=Path)


def _record(settings: Settings, options: argparse.Namespace) -> int:
    locks.require_alone(SNAKEMAKE)
    chosen = sharing.record(settings, print, options.sections)
    print(f"recorded {', '.join(chosen)}: commit {settings.manifests}, dvc.yaml and dvc.lock, then `dvc push`")
    return 0


def _push(settings: Settings, options: argparse.Namespace) -> int:
    locks.require_alone(SNAKEMAKE)
    sharing.push(settings, options.message, print, options.sections, options.remote)
    return 0


def _pull(settings: Settings, options: argparse.Namespace) -> int:
    sharing.pull(settings, print, options.targets, options.remote, with_git=not options.no_git)
    return _restore(settings, options)


def _restore(settings: Settings, _: argparse.Namespace) -> int:
    reports: list[Report] = []
    alone = locks.hold(SNAKEMAKE, lambda: reports.append(session.take_over(settings, wait=False)))
    if not alone:
        print("a run is in progress: nothing was restored; the next run restores by itself")
        return 1
    _print_problems(reports[0].problems)
    for found in reports[0].statuses:
        if found.state in (State.STALE, State.UNKNOWN):
            print(f"{found.state:13}{found.path}: {'; '.join(found.reasons)}")
    print(reports[0])
    return int(bool(reports[0].problems))


_KEPT = """Files that DVC does not hold were left unchanged, though they block the checkout.
`{} push` on the commit that they belong to keeps them; `dvc checkout --force` discards them."""


def _checkout(settings: Settings, options: argparse.Namespace) -> int:
    known = stages.recorded()
    if known:
        try:
            dvc("checkout", "--allow-missing", *known)
        except ToolFailedError as error:
            print(f"{error}\n{_KEPT.format(settings.command)}", file=sys.stderr)
    return _restore(settings, options)


def _export(settings: Settings, _: argparse.Namespace) -> int:
    for file in session.export(settings):
        print(f"wrote {file}")
    return 0


def _hooks(settings: Settings, options: argparse.Namespace) -> int:
    if options.remove:
        hooks.remove(settings)
        print("removed")
    else:
        for file in hooks.install(settings):
            print(f"wrote {file}")
    return 0


def _merge(settings: Settings, options: argparse.Namespace) -> int:
    for place in merging.merge_files(options.base, options.ours, options.theirs):
        message = f"both sides changed {place}: ours is kept; `{settings.command} status` shows what must be remade"
        print(message, file=sys.stderr)
    return 0


# gc, archive


def _register_upkeep(new: Any, word: str) -> None:
    command = new(
        "gc", _gc, "list files that no manifest mentions or that the workflow no longer makes; --delete removes them"
    )
    _take_sections(command, word)
    command.add_argument("--delete", action="store_true", help="remove them from disk and manifests")
    command = new("archive", _archive, f"pack a finished {word} and its provenance into an RO-Crate (zip)")
    command.add_argument("section", metavar=word.upper())
    command.add_argument("target", metavar="FILE.zip")


def _gc(settings: Settings, options: argparse.Namespace) -> int:
    session.export(settings)  # results of a killed run are not garbage
    ledger, manifest = _known(settings)
    made = {path for job in plan(options=settings.planning(options.sections)) for path in job.outputs}
    sections = {settings.section(path) for path in made if settings.is_output(path)}
    unknown = garbage.unmentioned(settings, manifest, made, sections)
    obsolete = garbage.obsolete(settings, manifest, made, sections)
    for path in unknown:
        print(f"in no manifest      {path}")
    for path in obsolete:
        print(f"no longer made      {path}")
    if not options.delete:
        print(f"{len(unknown) + len(obsolete)} files; --delete removes them")
        return 0
    locks.require_alone(SNAKEMAKE)
    freed = garbage.remove(settings, ledger, manifest, [*unknown, *obsolete])
    ledger.save()
    message = f"removed {len(unknown) + len(obsolete)} files, {freed / 1e6:.1f} MB"
    print(f"{message}; `dvc gc --workspace` frees DVC's cache of old versions")
    return 0


def _archive(settings: Settings, options: argparse.Namespace) -> int:
    from snakemake_provenance.crate import UnfinishedError, archive

    section, report = options.section, session.look(settings)
    lines = status(plan(options=settings.planning([section])), report, _code(settings))
    own = [line for line in lines if settings.is_output(line.path) and settings.section(line.path) == section]
    if not own:
        raise UnfinishedError(f"the workflow makes no results of {section}; `status --all` lists what there is")
    if wrong := [line.path for line in own if line.condition is not Condition.FRESH]:
        message = f"{len(wrong)} results of {section} are missing or not fresh ({wrong[0]})"
        raise UnfinishedError(f"{message}: run it first")
    if changed := uncommitted(settings):
        raise UnfinishedError(
            f"{changed[0]} is not committed: commit it first, since the archive holds the committed code"
        )
    facts = [found.fact for found in report.statuses if found.fact and found.state is State.FRESH]
    chosen = [fact for fact in facts if settings.section(fact.path) == section]
    count = archive(settings, chosen, section, Path(options.target))
    print(f"{options.target}: {count} results and the workflow that made them")
    return 0
