"""Record, push and pull results: git carries manifests and dvc.lock, DVC carries the bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from snakemake_provenance import manifest as manifests
from snakemake_provenance import session, stages
from snakemake_provenance.freshness import State
from snakemake_provenance.merging import DRIVER
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import Settings
from snakemake_provenance.tools import ToolFailedError, dvc, git, git_succeeds, uncommitted

_BATCH = 200  # paths per command line


class NothingToShareError(ProvenanceError):
    """There is no result to push, or the existing results cannot be pushed."""


def record(settings: Settings, say: Callable[[str], None], sections: Sequence[str] = ()) -> list[str]:
    """Write manifests, dvc.yaml and dvc.lock, and put the bytes into DVC's cache.

    Args:
        sections: sections to record; all that have facts, if none is named.

    Returns:
        the recorded sections.

    Raises:
        NothingToShareError: nothing is recorded, or there are files that no job recorded.
        ToolFailedError: DVC failed.
    """
    session.export(settings)
    outputs = _recorded(settings, sections)
    _bring_missing(settings, outputs, say)
    stages.update(outputs, settings)
    dvc("commit", "--quiet", "--force", "--no-relink", *outputs)
    return list(outputs)


def push(
    settings: Settings,
    message: str,
    say: Callable[[str], None],
    sections: Sequence[str] = (),
    remote: str | None = None,
) -> None:
    """Record and push results: first the bytes, then the commit that names them.

    Args:
        message: commit message.
        sections: sections to push; all that have facts, if none is named.
        remote: DVC's; its default, if none is named.

    Raises:
        NothingToShareError: nothing is recorded, or there are files that no job recorded.
        ToolFailedError: git or DVC failed. What was pushed remains valid, and the next push completes it.
    """
    _require_remote()
    chosen = record(settings, say, sections)
    if _commit([settings.manifest(section).as_posix() for section in chosen], message):
        say(f"committed: {message}")
    dvc("push", *(["--remote", remote] if remote else []), *chosen)
    say(f"sent the results of {', '.join(chosen)}")
    for path in uncommitted(settings):
        say(f"{path} is not committed: results made by it look stale to others until it is")
    if git_succeeds("rev-parse", "--abbrev-ref", "@{upstream}"):
        git("push", "--quiet")
        say("sent the commit")
    else:
        say("this branch follows no other: `git push` it where others can see it")


def _recorded(settings: Settings, sections: Sequence[str]) -> dict[str, list[str]]:
    manifest = manifests.read_all(settings)
    found: dict[str, list[str]] = {}
    for path in sorted(manifest.facts):
        found.setdefault(settings.section(path), []).append(path)
    unknown = sorted(set(sections) - set(found))
    if unknown or not found:
        known = ", ".join(found) or "none"
        raise NothingToShareError(
            f"nothing is recorded of {', '.join(unknown) or f'any {settings.word}'} (recorded: {known}): run it first"
        )
    chosen = {section: paths for section, paths in found.items() if not sections or section in sections}
    _refuse_unknown(settings, chosen)
    return chosen


def _refuse_unknown(settings: Settings, chosen: dict[str, list[str]]) -> None:
    """Refuse files that no job recorded; files that DVC does not track are not pushed anyway."""
    tracked = [entry for section, paths in chosen.items() for entry in stages.entries(paths, section, settings)]
    unknown = [
        status.path
        for status in session.look(settings).statuses
        if status.state is State.UNKNOWN and any(Path(status.path).is_relative_to(entry) for entry in tracked)
    ]
    if unknown:
        shown = ", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else "")
        raise NothingToShareError(
            f"no job is known to have written {shown}: run the workflow, or `{settings.command} gc --delete` "
            "what it does not make"
        )


def _bring_missing(settings: Settings, outputs: dict[str, list[str]], say: Callable[[str], None]) -> None:
    """Pull recorded files that are missing here; otherwise DVC would record their folders without them."""
    missing = [path for paths in outputs.values() for path in paths if not Path(path).is_file()]
    if missing:
        say(f"pulling {len(missing)} recorded files that are not here")
    for start in range(0, len(missing), _BATCH):
        try:
            dvc("pull", *missing[start : start + _BATCH])
        except ToolFailedError as error:
            raise NothingToShareError(
                f"{missing[start]} and others are recorded and not here, and could not be pulled; run the workflow, or "
                f"`{settings.command} gc --delete` what it no longer makes\n{error}"
            ) from error


def _require_remote() -> None:
    if not dvc("remote", "list").strip():
        raise NothingToShareError(
            "DVC has no remote: `dvc remote add --default NAME URL`, with a folder, s3://... or ssh://..."
        )


def _commit(files: list[str], message: str) -> bool:
    paths = [path for path in (*files, "dvc.yaml", "dvc.lock") if Path(path).exists()]
    git("add", "--", *paths)
    if git_succeeds("diff", "--cached", "--quiet", "--", *paths):
        return False
    git("commit", "--quiet", "--message", message, "--", *paths)
    return True


def driver(settings: Settings) -> str:
    """Return the merge driver of dvc.yaml and dvc.lock for git's configuration."""
    return f"'{sys.executable}' -m {settings.module} merge-dvc-files %O %A %B"


def pull(
    settings: Settings,
    say: Callable[[str], None],
    targets: Sequence[str] = (),
    remote: str | None = None,
    with_git: bool = True,
) -> None:
    """Pull commits, then bytes; `restore` has to follow.

    Args:
        targets: sections, folders or files; all results, if none is named.
        with_git: whether to pull commits, too.
    """
    if with_git and git_succeeds("rev-parse", "--abbrev-ref", "@{upstream}"):
        git("-c", f"merge.{DRIVER}.driver={driver(settings)}", "pull", "--quiet", "--no-rebase", "--no-edit")
        say("fetched commits")
    known = stages.recorded()
    if not known:
        say("no results have been pushed yet")
        return
    dvc("pull", *(["--remote", remote] if remote else []), *(targets or known))
    say(f"fetched {', '.join(targets) or 'all results'}")
