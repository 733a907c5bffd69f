"""Render Snakemake's report of a study into one page that opens offline."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from underpainting.io.writing import replacing
from underpainting_workflow import front
from underpainting_workflow.runner import Job, run


def main(study: str, output: str, job: Job) -> None:
    """Run a second Snakemake, without lock and jobs, that reports all tables and figures.

    The content of its front page is in a file given to it alone, which `rules/report.smk` reads.
    """
    snakefile = Path(__file__).parents[1] / "Snakefile"
    with (
        replacing(output) as scratch,
        Path(job.log).open("a", encoding="utf-8") as messages,
        tempfile.TemporaryDirectory() as folder,
    ):
        page, shown = scratch.with_suffix(".html"), Path(folder) / "front.json"
        shown.write_text(json.dumps({study: front.of_study(Path(output).parent)}), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--cores", "1", "--nolock"]
        command += ["--report", str(page), "--config", f"studies={study}"]
        command += ["--report-stylesheet", str(snakefile.parent / "workflow/report/front.css")]
        environment = {**os.environ, "UNDERPAINTING_FRONT": str(shown)}
        try:
            subprocess.run(
                [*command, "--", "figures", "tables"], check=True, stdout=messages, stderr=messages, env=environment
            )
            page.replace(scratch)
        finally:
            page.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)
