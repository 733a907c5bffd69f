"""Render Snakemake's report of a study into one page that opens offline."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from underpainting.jobs import job
from underpainting.writing import replacing

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(snakefile: Path, study: str, output: str, log: str) -> None:
    """Ask a second Snakemake, which takes no lock and runs no job, for the report of all tables and figures."""
    with replacing(output) as scratch, Path(log).open("a", encoding="utf-8") as messages:
        page = scratch.with_suffix(".html")
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--cores", "1", "--nolock"]
        command += ["--report", str(page), "--config", f"studies={study}", "--", "figures", "tables"]
        try:
            subprocess.run(command, check=True, stdout=messages, stderr=messages)
            page.replace(scratch)
        finally:
            page.unlink(missing_ok=True)


if __name__ == "__main__":
    with job(snakemake):
        main(
            Path(snakemake.scriptdir).parent / "Snakefile",
            snakemake.wildcards.study,
            snakemake.output[0],
            snakemake.log[0],
        )
