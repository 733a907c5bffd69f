"""Records of use: written by jobs whatever happens to them; tables from records."""

from __future__ import annotations

import csv
import json
import logging
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from snakemake_provenance.plan import Job
from underpainting import meter
from underpainting_workflow import cli
from underpainting_workflow.watching import efficiency, process, record
from underpainting_workflow.watching.progress import progress
from underpainting_workflow.watching.record import Activity, Record, Request, State
from underpainting_workflow.watching.recorder import recorded

NOW = record.now()


def task(log: str = "logs/tiny/work.log", **resources: object) -> SimpleNamespace:
    """What Snakemake would give to a job."""
    return SimpleNamespace(
        log=[log], output=["results/tiny/work"], rule="work", threads=2, resources=SimpleNamespace(**resources)
    )


def made(job: str, **changes: object) -> Record:
    """A record of a job that is done: ten seconds, four of them within the network."""
    work = Activity(20, 200, 4.0, 0, 0.0, 400, None, 5.0)
    plain = Record(
        rule="sample",
        job=job,
        told=State.DONE,
        host="elsewhere",
        pid=1,
        born=1,
        started=NOW.isoformat(),
        written=NOW.isoformat(),
        startup_seconds=2.0,
        wall_seconds=10.0,
        cpu_seconds=9.0,
        memory_mb=300.0,
        requested=Request(1, 400, 1),
        work=work,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def wait_for(file: Path, seconds: float = 20.0) -> Record:
    """A record as soon as it is there."""
    deadline = time.monotonic() + seconds
    while not (found := record.read(file)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return record.file_of(tmp_path / "logs/tiny/work.log")


def test_a_job_records_what_it_asked_for_and_used(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), recorded(task(mem_mb=500, runtime=3)):
        meter.plan(images=12)
        with meter.network_call(6):
            time.sleep(0.02)
    found = record.read(file)
    assert found is not None
    assert (found.rule, found.job, found.told) == ("work", "results/tiny/work", State.DONE)
    assert found.requested == Request(2, 500, 3)
    assert (found.work.calls, found.work.images, found.work.images_planned) == (1, 6, 12)
    assert 0.02 <= found.work.network_seconds <= found.work.working_seconds < found.wall_seconds
    assert found.startup_seconds is not None and 0 < found.startup_seconds < found.wall_seconds
    assert found.cpu_seconds > 0.1, "pytest has imported torch"
    assert "1 network calls, NFE 6" in caplog.text
    assert f"memory {found.memory_mb:.0f} MB of 500 MB" in caplog.text
    assert [path.name for path in file.parent.iterdir()] == [file.name], "no scratch is left"


def test_a_failed_job_is_told_from_one_that_succeeded(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), recorded(task()):
        _ = 1 / 0
    found = record.read(file)
    assert found is not None and found.told is State.FAILED
    assert found.requested == Request(2, None, None)


def test_a_running_job_beats(file: Path) -> None:
    with recorded(task(), beat=0.02):
        first = wait_for(file)
        assert first.state(record.now()) is State.RUNNING
        with meter.network_call(3):
            pass
        deadline = time.monotonic() + 10
        while not (later := record.read(file)) or not later.work.images:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert later.told is State.RUNNING
        assert later.written > first.written


def test_a_job_whose_record_cannot_be_written_does_its_work(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    with recorded(task(), beat=0.01):
        time.sleep(0.05)
        result = 42
    assert result == 42


CHILD = """
import time
from types import SimpleNamespace
from underpainting_workflow.watching.recorder import recorded
with recorded(SimpleNamespace(log=["logs/tiny/work.log"], output=["results/tiny/work"], rule="work", threads=1)):
    time.sleep(60)
"""


def test_a_killed_job_is_lost_at_once_on_its_own_machine(file: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD])
    try:
        found = wait_for(file)
        assert found.pid == child.pid
        assert found.state(record.now()) is State.RUNNING
        os.kill(child.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while found.state(record.now()) is State.RUNNING:  # not yet waited for: a zombie is dead, too
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()
    assert found.state(record.now()) is State.LOST
    taken = replace(found, pid=os.getpid())
    assert taken.state(record.now()) is State.LOST, "its number may be given to another process"


def test_a_job_on_another_machine_is_lost_when_it_falls_silent() -> None:
    running = made("a", told=State.RUNNING)
    assert running.state(NOW + timedelta(seconds=30)) is State.RUNNING
    assert running.state(NOW + timedelta(seconds=300)) is State.LOST
    assert made("a").state(NOW + timedelta(days=9)) is State.DONE


LARGE = """
import subprocess, sys
ballast = bytearray(400 * 2**20)
code = "from underpainting_workflow.watching import process; print(process.peak_memory())"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
"""


def test_the_memory_of_a_job_is_not_that_of_the_program_that_started_it() -> None:
    told = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True).stdout
    assert 5 < float(told) < 200


def test_memory_is_the_peak_not_the_present() -> None:
    code = "ballast = bytearray(300 * 2**20); del ballast\nfrom underpainting_workflow.watching import process\n"
    code += "print(process.peak_memory())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 300 < float(told) < 400


def test_the_age_of_a_process_counts_its_start() -> None:
    code = "import time; time.sleep(0.3)\nfrom underpainting_workflow.watching import process\nprint(process.age())"
    began = time.perf_counter()
    told = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert 0.3 < told <= time.perf_counter() - began + 0.02
    assert process.born(2**22 + 1) is None


def test_records_of_another_version_and_half_records_are_passed_over(file: Path) -> None:
    record.write(made("a"), file)
    assert record.read(file) == made("a")
    content = json.loads(file.read_text())
    file.with_name("new.use.json").write_text(json.dumps({**content, "later": 1}))
    file.with_name("half.use.json").write_text(file.read_text()[:100])
    assert record.read_all() == [made("a")]
    assert record.read_all(["other"]) == []


def planned(name: str, rule: str = "sample", runs: bool = True) -> Job:
    return Job(rule, [name], [], [], runs, "")


def test_progress_counts_jobs_and_images_and_tells_the_time_left() -> None:
    here = {"told": State.RUNNING, "host": platform.node(), "pid": os.getpid(), "born": process.born()}
    records = [made("done"), made("half", **here), made("killed", **{**here, "pid": 1, "born": 0}), made("old")]
    records.append(made("broken", told=State.FAILED))
    plain = progress(records, NOW)
    assert (plain.done, len(plain.running), plain.failed, plain.lost, plain.to_come) == (2, 1, 1, 1, None)
    (half,) = plain.running
    assert (half.unit, half.done, half.planned, half.rate) == ("images", 200, 400, 50.0)
    assert half.left == 5.0, "as long again as it took from its first call"
    assert plain.left == 5.0

    plan = [planned("done", runs=False), *map(planned, ("half", "killed", "broken", "next")), planned("new", "never")]
    asked = progress(records, NOW, plan)
    assert (asked.done, len(asked.running), asked.failed, asked.lost, asked.to_come) == (1, 1, 1, 1, 2)
    assert (asked.images_done, asked.images_planned) == (400, 800), "of done and running jobs that the plan knows"
    assert asked.left == 15.0, "and ten seconds for the next"
    assert asked.unknown == 1


def test_what_was_made_anew_since_a_failure_is_done() -> None:
    found = progress([made("a", told=State.FAILED)], NOW, [planned("a", runs=False)])
    assert (found.done, found.failed, found.to_come) == (1, 0, 0)


def test_a_training_tells_its_steps() -> None:
    work = Activity(0, 0, 0.0, 30, 6.0, None, 90, 7.0)
    here = {"told": State.RUNNING, "host": platform.node(), "pid": os.getpid(), "born": process.born()}
    (pace,) = progress([made("a", work=work, **here)], NOW + timedelta(seconds=4)).running
    assert (pace.unit, pace.done, pace.planned, pace.rate) == ("steps", 30, 90, 5.0)
    assert pace.left == 10.0, "14 seconds when it told, 4 seconds ago"


def test_efficiency_by_rule() -> None:
    late = (NOW + timedelta(seconds=30)).isoformat()
    records = [
        made("a"),
        made("b", wall_seconds=20.0, cpu_seconds=6.0, memory_mb=350.0, started=late),
        made("c", rule="draw", requested=Request(1), work=Activity(0, 0, 0.0, 0, 0.0, None, None, 0.0)),
    ]
    sample, draw = efficiency.by_rule(records)
    assert (sample.name, sample.jobs, sample.wall_seconds, sample.longest_seconds) == ("sample", 2, 30.0, 20.0)
    assert (sample.wall_requested_seconds, sample.memory_mb, sample.memory_requested_mb) == (60.0, 350.0, 400)
    assert (sample.calls, sample.nfe, sample.nfe_per_second) == (40, 400, 50.0)
    assert sample.cpu_efficiency == 0.5
    assert sample.busy == pytest.approx(8 / 30)
    assert (draw.wall_requested_seconds, draw.nfe_per_second, draw.busy) == (None, None, 0.0)
    total = efficiency.total(records)
    assert (total.wall_seconds, total.occupied_seconds, total.busy_seconds) == (50.0, 30.0, 8.0)
    assert total.ratio == 50 / 8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wall_seconds": 90.0}, "1.5 of 1 minutes"),
        ({"memory_mb": 512.0}, "512 of 400 MB"),
        ({"cpu_seconds": 31.0}, "3.1 processors on 1 threads"),
        ({"memory_mb": 512.0, "requested": Request(1)}, ""),
        ({}, ""),
    ],
)
def test_a_job_that_used_more_than_it_asked_for_is_named(changes: dict[str, object], words: str) -> None:
    assert ", ".join(efficiency.excess(made("a", **changes))) == words


def test_the_command_prints_the_table_and_writes_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Snakefile").touch()
    assert cli.main(["efficiency"]) == 0
    assert "no job has left a record" in capsys.readouterr().out
    record.write(made("results/tiny/a"), Path("logs/tiny/a.use.json"))
    assert cli.main(["efficiency", "tiny", "--csv", "use.csv"]) == 0
    told = capsys.readouterr().out
    row = told.splitlines()[1].replace(" s ", " ").split()
    assert row == ["sample", "1", "2.0", "10.0", "10.0", "1:00", "300", "400", "90%", "20", "200", "50.0", "40%"]
    assert "2.50 s of wall clock for each" in told
    (line,) = csv.DictReader(Path("use.csv").read_text().splitlines())
    assert (line["name"], line["nfe"], line["nfe_per_second"]) == ("sample", "200", "50.0")
    record.write(made("results/tiny/b", memory_mb=512.0), Path("logs/tiny/b.use.json"))
    record.write(made("results/tiny/c", told=State.FAILED), Path("logs/tiny/c.use.json"))
    assert cli.main(["efficiency", "--jobs"]) == 1
    told = capsys.readouterr().out
    assert "results/tiny/b: 512 of 400 MB" in told
    assert "results/tiny/c: failed" in told


def test_the_command_shows_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Snakefile").touch()
    here = {"told": State.RUNNING, "host": platform.node(), "pid": os.getpid(), "born": process.born()}
    long = Activity(20, 200, 4.0, 0, 0.0, 200_000, None, 5.0)
    fresh = record.now().isoformat()
    record.write(made("results/tiny/a", work=long, written=fresh, **here), Path("logs/tiny/a.use.json"))
    record.write(made("results/tiny/b", told=State.RUNNING, host=platform.node()), Path("logs/tiny/b.use.json"))
    assert cli.main(["progress"]) == 1, "a job is lost"
    jobs, _, pace, images, left = capsys.readouterr().out.splitlines()
    assert jobs == "jobs: 0 done, 1 running, 0 failed, 1 lost, ? (--plan asks) to come"
    assert pace.split()[:6] == ["results/tiny/a", "200", "of", "200000", "images", "50.0"]
    assert pace.split()[6].startswith("1:23:1")
    assert images == "NFE of the jobs begun: 200 of 200000 (0%), 50 per second now"
    assert left.startswith("time left: about 1:23:1")
