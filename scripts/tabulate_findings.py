"""Summarise a study in at most five findings, for the front page of its report."""

from typing import Any

import pandas as pd

from underpainting.io import artifacts
from underpainting.io.writing import write_json
from underpainting_workflow.findings.images import Swept, findings
from underpainting_workflow.runner import run


def main(inputs: dict[str, str], output: str, config: dict[str, Any]) -> None:
    """Make the findings, write them as a list."""
    found = findings(
        pd.read_csv(inputs["teleport"]),
        artifacts.load(inputs["gaussian"]),
        artifacts.load(inputs["emergence"]),
        Swept(**config["swept"]),
        config["followed"],
        config["jumps"],
    )
    write_json([finding.plain() for finding in found], output)


if __name__ == "__main__":
    run(main)
