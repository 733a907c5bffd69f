"""The project in the working folder, and functions that the commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from snakemake_provenance import manifest as manifests
from snakemake_provenance.layout import Layout
from snakemake_provenance.ledger import Ledger
from underpainting_workflow.studies import plain_yaml
from underpainting_workflow.studies.loading import CONFIG, data_folder

SHOWN = 20  # lines of manifests that are reported as ignored
UNKNOWN = "-"  # in a table
Action = Callable[[argparse.Namespace], int]
Commands = Any  # the result of add_subparsers, whose type is private in argparse


def layout() -> Layout:
    """Return the layout of the project."""
    config = plain_yaml.read(Path(CONFIG)) if Path(CONFIG).is_file() else None
    return Layout(places={"{data}": data_folder(config if isinstance(config, dict) else {}, {})})


def known() -> tuple[Ledger, manifests.Manifest]:
    """Return this clone's own ledger and the shared manifest."""
    ledger = Ledger()
    ledger.load()
    return ledger, manifests.read_all(layout())


def code() -> dict[str, dict[str, str]]:
    """Return the digests of code files, by the digest of all."""
    ledger, manifest = known()
    return {**manifest.code, **ledger.code}


def report(problems: Sequence[str]) -> None:
    """Print the lines of manifests that are ignored, and why."""
    for problem in problems[:SHOWN]:
        print(f"ignored: {problem}")
    if len(problems) > SHOWN:
        print(f"ignored: {len(problems) - SHOWN} more lines")


def add(commands: Commands, name: str, action: Action, text: str) -> argparse.ArgumentParser:
    """Add a command without options."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(action=action, anywhere=False)
    return command


def take_studies(command: argparse.ArgumentParser) -> None:
    """Add an argument for names of studies to a command."""
    text = "names of studies; default: all that are configured or recorded"
    command.add_argument("studies", nargs="*", metavar="STUDY", help=text)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Format rows as lines of aligned columns: the first to the left, the others to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in rows
    ]
