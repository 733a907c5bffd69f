"""git and DVC as commands, in the working folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

COMMAND, MODULE = "underpainting", "underpainting_workflow"
"""What a person types for the commands of this package, and the module that a hook runs."""


class ToolFailedError(RuntimeError):
    """git or DVC failed; the message is its own, with what was asked of it."""


def git(*arguments: str) -> str:
    """Run git; returns what it printed."""
    return _run(["git"], "git", arguments)


def git_succeeds(*arguments: str) -> bool:
    """Does a git command exit with 0?"""
    return subprocess.run(["git", *arguments], capture_output=True, check=False).returncode == 0


def uncommitted() -> list[str]:
    """Code and study files that differ from the last commit, or are new."""
    answer = git("status", "--porcelain", "--", "Snakefile", "rules", "scripts", "src", "config")
    return [line[3:] for line in answer.splitlines()]


def dvc(*arguments: str) -> str:
    """Run DVC, host keys checked; returns what it printed."""
    return _run([sys.executable, "-m", "snakemake_provenance.dvc_process"], "dvc", arguments)


def _run(program: Sequence[str], name: str, arguments: Sequence[str]) -> str:
    result = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        asked = " ".join([name, *arguments])[:300]
        raise ToolFailedError(f"`{asked}` failed:\n{f'{result.stdout}{result.stderr}'.strip()[-3000:]}")
    return result.stdout
