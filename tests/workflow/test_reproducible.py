"""A second run of every job, in another process and at another place, gives the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.workflow.project import ROOT, Project

FIGURES = ("fig12_validation", "fig_early_checkpoints")
"""Of all figures; that the bytes of each kind repeat is tested where figures are drawn."""

AGAIN = """
import os, runpy, sys

os.umask(0o077)
_, folder, *jobs = sys.argv
for script, job in zip(jobs[::2], jobs[1::2]):
    sys.argv = [script, job, folder]
    runpy.run_path(script, run_name="__main__")
"""
"""Start scripts by hand, one after the other, each with its job file."""


def jobs(project: Project) -> list[str]:
    """Script and job file of every job but the report and most figures, one after the other."""
    found = []
    for file in sorted((project.folder / "logs").rglob("*.job.json")):
        script = json.loads(file.read_text(encoding="utf-8"))["code"].split()[0].partition(":")[0]
        if script != "render_report" and (file.parent.name != "figures" or file.name.startswith(FIGURES)):
            found += [str(ROOT / "scripts" / f"{script}.py"), str(file)]
    return found


def test_a_second_run_gives_the_same_bytes(built: Project, tmp_path: Path) -> None:
    """Every array, network and table, and two figures, with other hashes, time zone, locale and umask."""
    variables = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, str(tmp_path), *jobs(built)],
        cwd=built.folder,
        env={**os.environ, **variables, "PYTHONUTF8": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    first, second = built.artifacts(), Project(tmp_path).artifacts()
    missing = {file for file in set(first) - set(second) if "/figures/" not in file}
    assert missing == {"results/tiny/report.html"}
    assert {Path(file).stem for file in second if "/figures/" in file} == set(FIGURES)
    assert second == {file: first[file] for file in second}
