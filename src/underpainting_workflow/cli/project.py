"""The project in the working folder, and what the commands have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from snakemake_provenance import manifest as manifests
from snakemake_provenance.layout import Layout
from snakemake_provenance.ledger import Ledger
from underpainting_workflow.studies.loading import CONFIG, configuration, data_folder

SHOWN = 20  # lines that do not count
UNKNOWN = "-"  # in a table
Action = Callable[[argparse.Namespace], int]
Commands = Any  # what argparse's add_subparsers gives, whose type is private


def layout() -> Layout:
    """Where things are."""
    files = [file for file in [Path(CONFIG)] if file.is_file()]
    return Layout(places={"{data}": data_folder(configuration({}, files, []), {})})


def known() -> tuple[Ledger, manifests.Manifest]:
    """What this clone remembers, and what is recorded for all."""
    ledger = Ledger()
    ledger.load()
    return ledger, manifests.read_all(layout())


def code() -> dict[str, dict[str, str]]:
    """Digests by file, by the digest of all."""
    ledger, manifest = known()
    return {**manifest.code, **ledger.code}


def tell(problems: Sequence[str]) -> None:
    """Print lines of manifests that do not count."""
    for problem in problems[:SHOWN]:
        print(f"does not count: {problem}")
    if len(problems) > SHOWN:
        print(f"does not count: {len(problems) - SHOWN} more lines")


def add(commands: Commands, name: str, action: Action, text: str) -> argparse.ArgumentParser:
    """A command without options."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(action=action, anywhere=False)
    return command


def take_studies(command: argparse.ArgumentParser) -> None:
    """Let a command take names of studies."""
    text = "those chosen; else all that are configured or recorded"
    command.add_argument("studies", nargs="*", metavar="STUDY", help=text)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Format rows as lines of aligned columns: the first to the left, the others to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in rows
    ]
