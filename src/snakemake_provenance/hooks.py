"""Install git hooks that run `restore` after a checkout or a merge, and the merge driver of dvc.yaml and dvc.lock."""

from __future__ import annotations

import sys
from pathlib import Path

from snakemake_provenance.merging import DRIVER
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import Settings
from snakemake_provenance.sharing import driver
from snakemake_provenance.tools import git

MARK = "# written by `{} hooks`"
NAMES = ("post-checkout", "post-merge", "post-rewrite")
# git calls post-checkout with 0 as third argument for single files, which bring no other commit
SCRIPT = """#!/bin/sh
{mark}
[ "$#" -lt 3 ] || [ "$3" = 1 ] || exit 0
exec '{python}' -m {module} checkout
"""


class HookInTheWayError(ProvenanceError):
    """A hook that this package did not write is in the way."""


def install(settings: Settings) -> list[Path]:
    """Write the hooks and configure the merge driver and readable diffs of manifests, in this clone.

    Raises:
        HookInTheWayError: there is another hook of that name; it is not changed.
    """
    written, mark = [], MARK.format(settings.command)
    folder = Path(git("rev-parse", "--git-path", "hooks").strip())
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        file = folder / name
        if file.exists() and mark not in file.read_text(encoding="utf-8"):
            raise HookInTheWayError(f"{file} is not ours: add the line `{settings.command} checkout` to it by hand")
    for name in NAMES:
        file = folder / name
        file.write_text(SCRIPT.format(mark=mark, python=sys.executable, module=settings.module), encoding="utf-8")
        file.chmod(0o755)
        written.append(file)
    git("config", f"merge.{DRIVER}.driver", driver(settings))
    git("config", "diff.manifest.textconv", f"'{sys.executable}' -m json.tool --json-lines")
    return written


def remove(settings: Settings) -> None:
    """Remove the hooks that `install` wrote."""
    folder = Path(git("rev-parse", "--git-path", "hooks").strip())
    for name in NAMES:
        file = folder / name
        if file.exists() and MARK.format(settings.command) in file.read_text(encoding="utf-8"):
            file.unlink()
