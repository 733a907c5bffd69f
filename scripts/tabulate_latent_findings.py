"""Summarise a text-to-image study in a few findings, for the front page of its report."""

from typing import Any

import pandas as pd

from underpainting.io.writing import write_json
from underpainting_workflow.findings.latents import Swept, findings
from underpainting_workflow.runner import run


def main(inputs: dict[str, str], output: str, config: dict[str, Any]) -> None:
    """Make the findings, write them as a list."""
    swept = Swept(**config["swept"]) if config["swept"] else None
    table = pd.read_csv(inputs["teleport"]) if swept else pd.DataFrame()
    found = findings(table, pd.read_csv(inputs["claims"]), swept)
    write_json([finding.plain() for finding in found], output)


if __name__ == "__main__":
    run(main)
