"""The command `underpainting`: show the state of a project's results, share them, compute bases and grids, choose samplers.

The commands on state and sharing are those of `snakemake_provenance.cli`. Each module here defines some of the others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from snakemake_provenance.command_line import Commands, run
from underpainting.io.errors import InputError
from underpainting_workflow.cli import grid


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 success, 1 problems were found, 2 the command failed."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="underpainting", description="Show the state of a project's results, share them, and make bases and grids."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    refused = () if arguments[:1] == ["grid"] else _register_others(commands)
    grid.register(commands)
    return run(parser, arguments, (InputError, *refused))


def _register_others(commands: Commands) -> tuple[type[Exception], ...]:
    """Add the commands that import Snakemake, which takes a second, and return the errors that their users can correct."""
    from snakemake_provenance import cli as provenance
    from snakemake_provenance.messages import ProvenanceError
    from underpainting_workflow.cli import basis, forecast, plan, project, usage

    provenance.register(commands, project.settings, "study")
    for module in (forecast, usage, basis, plan):
        module.register(commands)
    return ProvenanceError, basis.BasisRefusedError
