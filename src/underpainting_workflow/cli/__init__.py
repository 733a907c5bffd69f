"""The command `underpainting`: show the state of a project's results, share them, and make bases of images.

Thin wrappers around git, DVC and Snakemake. Each module defines some of the commands, with their options.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from snakemake_provenance.crate import UnfinishedError
from snakemake_provenance.hooks import HookInTheWayError
from snakemake_provenance.locks import RunUnderWayError
from snakemake_provenance.plan import WorkflowFailedError
from snakemake_provenance.refusal import of_system
from snakemake_provenance.sharing import NothingToShareError
from snakemake_provenance.tools import ToolFailedError
from snakemake_provenance.why import NotAnArtifactError
from underpainting.io.errors import InputError
from underpainting_workflow.cli import basis, cleanup, forecast, sharing, status, usage
from underpainting_workflow.cli.basis import BasisRefusedError

ERRORS = (
    BasisRefusedError,
    HookInTheWayError,
    InputError,
    NotAnArtifactError,
    NothingToShareError,
    RunUnderWayError,
    ToolFailedError,
    UnfinishedError,
    WorkflowFailedError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 success, 1 problems were found, 2 the command failed."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if not options.anywhere and not Path("Snakefile").is_file():
        print("underpainting: no Snakefile in this folder; change to the folder of the project", file=sys.stderr)
        return 2
    try:
        return int(options.action(options))
    except BrokenPipeError:  # as in `underpainting why FILE | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"underpainting {options.command}: {of_system(error)}", file=sys.stderr)
        return 2
    except ERRORS as error:
        print(f"underpainting {options.command}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="underpainting", description="Show the state of a project's results, share them, and make bases of images."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (status, forecast, usage, sharing, cleanup, basis):
        module.register(commands)
    return parser
