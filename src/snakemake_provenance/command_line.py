"""Adds commands to a command line and runs them, without importing Snakemake, so that a light command starts quickly."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from snakemake_provenance.messages import ProvenanceError

Action = Callable[[argparse.Namespace], int]
Commands = Any  # the result of add_subparsers, whose type is private in argparse


def run(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    errors: tuple[type[Exception], ...] = (ProvenanceError,),
) -> int:
    """Run the chosen command in the project's folder, and print errors in one line.

    Args:
        errors: types that the user can correct; others show their traceback.

    Returns:
        the exit code.
    """
    from snakemake_provenance.refusal import of_system

    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if not options.anywhere and not any(map(Path.is_file, map(Path, ("Snakefile", "workflow/Snakefile")))):
        print(f"{parser.prog}: no Snakefile in this folder; change to the folder of the project", file=sys.stderr)
        return 2
    try:
        return int(options.action(options))
    except BrokenPipeError:  # as in `why FILE | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{parser.prog} {options.command}: {of_system(error)}", file=sys.stderr)
    except errors as error:
        print(f"{parser.prog} {options.command}: {error}", file=sys.stderr)
    return 2


def add(commands: Commands, name: str, action: Action, text: str) -> argparse.ArgumentParser:
    """Add a command without options."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(action=action, anywhere=False)
    return command
