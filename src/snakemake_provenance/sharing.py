"""Push and pull results: git carries study files, manifests and dvc.lock; DVC carries the bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from snakemake_provenance import manifest as manifests
from snakemake_provenance import session, stages
from snakemake_provenance.freshness import State
from snakemake_provenance.layout import Layout
from snakemake_provenance.merging import DRIVER
from snakemake_provenance.stages import Recording
from snakemake_provenance.tools import COMMAND, MODULE, ToolFailedError, dvc, git, git_succeeds, uncommitted

_BATCH = 200  # paths per command line


class NothingToShareError(ValueError):
    """There is no result to push, or what is there cannot be pushed."""


def push(
    layout: Layout,
    recording: Recording,
    message: str,
    say: Callable[[str], None],
    studies: Sequence[str] = (),
    remote: str | None = None,
) -> None:
    """Record results and send them: first the bytes, then the commit that speaks of them.

    Args:
        message: of the commit.
        studies: those to push; all recorded ones, if none is named.
        remote: DVC's; its default, if none is named.

    Raises:
        NothingToShareError: nothing is recorded, or files lie there that no job is known to have written.
        ToolFailedError: git or DVC failed. What was sent stays sound, and the next push completes it.
    """
    _require_remote()
    session.export(layout)
    outputs = _recorded(layout, studies)
    _bring_missing(outputs, say)
    stages.update(outputs, layout, recording)
    chosen = list(outputs)
    dvc("commit", "--quiet", "--force", "--no-relink", *chosen)
    if _commit([layout.manifest(study).as_posix() for study in chosen], message):
        say(f"committed: {message}")
    dvc("push", *(["--remote", remote] if remote else []), *chosen)
    say(f"sent the results of {', '.join(chosen)}")
    for path in uncommitted():
        say(f"{path} is not committed: results made by it look stale to others until it is")
    if git_succeeds("rev-parse", "--abbrev-ref", "@{upstream}"):
        git("push", "--quiet")
        say("sent the commit")
    else:
        say("this branch follows no other: `git push` it where others can see it")


def _recorded(layout: Layout, studies: Sequence[str]) -> dict[str, list[str]]:
    manifest = manifests.read_all(layout)
    found: dict[str, list[str]] = {}
    for path in sorted(manifest.facts):
        found.setdefault(layout.study(path), []).append(path)
    unknown = sorted(set(studies) - set(found))
    if unknown or not found:
        known = ", ".join(found) or "none"
        raise NothingToShareError(
            f"nothing is recorded of {', '.join(unknown) or 'any study'} (recorded: {known}): run it first"
        )
    chosen = {study: paths for study, paths in found.items() if not studies or study in studies}
    _refuse_unknown(layout, chosen)
    return chosen


def _refuse_unknown(layout: Layout, chosen: dict[str, list[str]]) -> None:
    """Nothing goes out that no job is known to have written; files beside what DVC tracks do not go out anyway."""
    tracked = [entry for study, paths in chosen.items() for entry in stages.entries(paths, study, layout)]
    strange = [
        status.path
        for status in session.look(layout).statuses
        if status.state is State.UNKNOWN and any(Path(status.path).is_relative_to(entry) for entry in tracked)
    ]
    if strange:
        shown = ", ".join(strange[:3]) + (f" and {len(strange) - 3} more" if len(strange) > 3 else "")
        raise NothingToShareError(
            f"no job is known to have written {shown}: run the workflow, or `{COMMAND} gc --delete` what it does not make"
        )


def _bring_missing(outputs: dict[str, list[str]], say: Callable[[str], None]) -> None:
    """Pull what is recorded but not here: DVC would take a folder with less in it for a smaller folder."""
    missing = [path for paths in outputs.values() for path in paths if not Path(path).is_file()]
    if missing:
        say(f"pulling {len(missing)} recorded files that are not here")
    for start in range(0, len(missing), _BATCH):
        try:
            dvc("pull", *missing[start : start + _BATCH])
        except ToolFailedError as error:
            raise NothingToShareError(
                f"{missing[start]} and others are recorded and not here, and could not be pulled; run the workflow, or "
                f"`{COMMAND} gc --delete` what it no longer makes\n{error}"
            ) from error


def _require_remote() -> None:
    if not dvc("remote", "list").strip():
        raise NothingToShareError(
            "DVC has no remote: `dvc remote add --default NAME URL`, with a folder, s3://... or ssh://... (docs/sharing.md)"
        )


def _commit(files: list[str], message: str) -> bool:
    paths = [path for path in (*files, "dvc.yaml", "dvc.lock") if Path(path).exists()]
    git("add", "--", *paths)
    if git_succeeds("diff", "--cached", "--quiet", "--", *paths):
        return False
    git("commit", "--quiet", "--message", message, "--", *paths)
    return True


def driver() -> str:
    """The merge driver of dvc.yaml and dvc.lock, as git's configuration takes it."""
    return f"'{sys.executable}' -m {MODULE} merge-dvc-files %O %A %B"


def pull(
    say: Callable[[str], None],
    targets: Sequence[str] = (),
    remote: str | None = None,
    with_git: bool = True,
) -> None:
    """Fetch what others pushed: commits, then bytes. `restore` has to follow.

    Args:
        targets: studies, folders or files; everything, if none is named.
        with_git: fetch commits, too.
    """
    if with_git and git_succeeds("rev-parse", "--abbrev-ref", "@{upstream}"):
        git("-c", f"merge.{DRIVER}.driver={driver()}", "pull", "--quiet", "--no-rebase", "--no-edit")
        say("fetched commits")
    known = stages.recorded()
    if not known:
        say("nobody has pushed results yet")
        return
    dvc("pull", *(["--remote", remote] if remote else []), *(targets or known))
    say(f"fetched {', '.join(targets) or 'all results'}")
