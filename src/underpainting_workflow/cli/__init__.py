"""The command `underpainting`: show the state of a project's results, share them, and compute bases from images.

The commands on state and sharing are those of `snakemake_provenance.cli`. Each module here defines some of the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from snakemake_provenance import cli as provenance
from snakemake_provenance.messages import ProvenanceError
from underpainting.io.errors import InputError
from underpainting_workflow.cli import basis, forecast, project, usage
from underpainting_workflow.cli.basis import BasisRefusedError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 success, 1 problems were found, 2 the command failed."""
    parser = argparse.ArgumentParser(
        prog="underpainting", description="Show the state of a project's results, share them, and make bases of images."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    provenance.register(commands, project.settings, "study")
    for module in (forecast, usage, basis):
        module.register(commands)
    return provenance.run(parser, arguments, (ProvenanceError, BasisRefusedError, InputError))
