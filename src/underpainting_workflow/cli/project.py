"""The project in the working folder, and functions that the commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from snakemake_provenance.settings import Settings
from underpainting_workflow import provenance
from underpainting_workflow.studies import plain_yaml
from underpainting_workflow.studies.loading import CONFIG, data_folder

UNKNOWN = "-"  # in a table


def settings() -> Settings:
    """Return the provenance settings of the project."""
    config = plain_yaml.read(Path(CONFIG)) if Path(CONFIG).is_file() else None
    return provenance.settings(data_folder(config if isinstance(config, dict) else {}, {}))


def take_studies(command: argparse.ArgumentParser) -> None:
    """Add an argument for names of studies to a command."""
    text = "names of studies; default: all that are configured or recorded"
    command.add_argument("studies", nargs="*", metavar="STUDY", help=text)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Format rows as lines of aligned columns: the first aligned left, the others right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in rows
    ]
