"""Run git and DVC as commands in the working folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import Settings


class ToolFailedError(ProvenanceError):
    """git or DVC failed; the error holds the command and the tool's message."""


def git(*arguments: str) -> str:
    """Run git and return its output."""
    return _run(["git"], "git", arguments)


def git_succeeds(*arguments: str) -> bool:
    """Return whether a git command exits with 0."""
    return subprocess.run(["git", *arguments], capture_output=True, check=False).returncode == 0


def uncommitted(settings: Settings) -> list[str]:
    """List files that differ from the last commit or are new, except those that `push` commits."""
    own = (settings.manifests, "dvc.yaml", "dvc.lock")
    answer = git("status", "--porcelain", "--", *settings.sources, *(f":(exclude){name}" for name in own))
    return [line[3:] for line in answer.splitlines()]


def dvc(*arguments: str) -> str:
    """Run DVC, with host keys checked, and return its output."""
    return _run([sys.executable, "-m", "snakemake_provenance.dvc_process"], "dvc", arguments)


def _run(program: Sequence[str], name: str, arguments: Sequence[str]) -> str:
    result = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        asked = " ".join([name, *arguments])[:300]
        raise ToolFailedError(f"`{asked}` failed:\n{f'{result.stdout}{result.stderr}'.strip()[-3000:]}")
    return result.stdout
