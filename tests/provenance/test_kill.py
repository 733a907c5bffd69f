"""A job killed at any moment leaves its result complete or absent, and the next run makes the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.provenance.toy import OWN, Clone, World

TOP = Path("results/fox/top.csv")
SLOW = "import sys, time\nfrom pathlib import Path\nprint('half', flush=True)\n"
SLOW += "while not Path('go').exists():\n    time.sleep(0.01)\n"


def wait(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came"
        time.sleep(0.01)


def started(place: Clone) -> subprocess.Popen[str]:
    """Start a run in a process of its own, whose last job has written half of its output."""
    place.edit("scripts/top.py", "import sys\nfrom pathlib import Path\n", SLOW)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet=all", str(TOP)]
    run = subprocess.Popen(
        command, cwd=place.folder, env={**os.environ, **OWN}, start_new_session=True, text=True, stderr=subprocess.PIPE
    )
    half = place.folder / TOP.with_name(f".{TOP.name}.staged") / TOP.name
    wait(lambda: half.is_file() and half.stat().st_size)
    return run


@pytest.fixture
def place(world: World) -> Clone:
    return world.colleague


def test_a_run_killed_with_its_jobs_leaves_nothing_partial(place: Clone) -> None:
    run = started(place)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (place.folder / TOP).exists()
    (place.folder / "go").touch()
    place.build()
    assert (place.folder / TOP).read_text().startswith("half\n")
    assert not place.plan().runs()
    assert not list((place.folder / "results").rglob("*.staged"))


def test_a_job_that_outlives_its_run_replaces_no_result_of_the_next(place: Clone) -> None:
    run = started(place)
    jobs = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _in(entry, place.folder)]
    jobs.remove(run.pid)
    assert jobs
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    place.git("checkout", "--quiet", "scripts")
    place.edit("config.yaml", "number: 5", "number: 2")
    place.build()
    built = (place.folder / TOP).read_bytes()
    (place.folder / "go").touch()
    wait(lambda: not any(_in(Path(f"/proc/{job}"), place.folder) for job in jobs))
    assert (place.folder / TOP).read_bytes() == built
    assert not place.plan().runs()


def _in(process: Path, folder: Path) -> bool:
    """Return whether a process works in a folder."""
    try:
        return (process / "cwd").readlink() == folder and int(process.name) != os.getpid()
    except OSError:
        return False


def test_two_runs_at_once_are_refused(place: Clone) -> None:
    run = started(place)
    assert place.snakemake(str(TOP)) != 0
    (place.folder / "go").touch()
    assert run.wait() == 0
