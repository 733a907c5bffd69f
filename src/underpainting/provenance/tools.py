"""git and DVC as commands, in the working folder."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence

log = logging.getLogger(__name__)


class ToolFailedError(RuntimeError):
    """git or DVC failed; the message is its own, with what was asked of it."""


def git(*arguments: str) -> str:
    """Run git; returns what it printed."""
    return _run(["git", *arguments], "git")


def git_succeeds(*arguments: str) -> bool:
    """Does a git command exit with 0?"""
    return subprocess.run(["git", *arguments], capture_output=True, check=False).returncode == 0


def dvc(*arguments: str) -> str:
    """Run DVC, host keys checked; returns what it printed."""
    return _run([sys.executable, "-m", "underpainting.provenance.dvc_process", *arguments], "dvc")


def _run(command: Sequence[str], name: str) -> str:
    log.debug("%s", " ".join(command))
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        told = f"{result.stdout}\n{result.stderr}".strip()[-3000:]
        shown = " ".join(command[command.index(name) :] if name in command else [name, *command[3:]])
        raise ToolFailedError(f"`{shown[:300]}` failed:\n{told}")
    return result.stdout
