"""Usage records: written by jobs whatever happens to them, and summarised."""

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
from math import isnan
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from snakemake_provenance.plan import Job
from underpainting import meter
from underpainting_workflow import cli
from underpainting_workflow.usage import efficiency, record
from underpainting_workflow.usage.progress import progress
from underpainting_workflow.usage.record import Record, State
from underpainting_workflow.usage.recorder import recorded

NOW = record.now()


def task(log: str = "logs/tiny/work.log", **resources: object) -> SimpleNamespace:
    """What Snakemake would give to a job."""
    return SimpleNamespace(
        log=[log], output=["results/tiny/work"], rule="work", threads=2, resources=SimpleNamespace(**resources)
    )


def made(job: str, **changes: object) -> Record:
    """A record of a job that is done: ten seconds, four of them within the network."""
    work = meter.Work(20, 200, 4.0, 0, 0.0, 400, None, 5.0)
    plain = Record(
        rule="sample",
        job=job,
        reported=State.DONE,
        host="elsewhere",
        pid=1,
        created=1.0,
        updated=NOW.isoformat(),
        startup_seconds=2.0,
        wall_seconds=10.0,
        cpu_seconds=9.0,
        memory_mb=300.0,
        threads=1,
        requested_mb=400.0,
        requested_minutes=1.0,
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


def test_a_job_records_what_it_requested_and_used(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), recorded(task(mem_mb=500, runtime=3)):
        meter.plan(evaluations=12)
        with meter.network_call(6):
            time.sleep(0.02)
    found = record.read(file)
    assert found is not None
    assert (found.rule, found.job, found.reported) == ("work", "results/tiny/work", State.DONE)
    assert (found.threads, found.requested_mb, found.requested_minutes) == (2, 500, 3)
    assert (found.work.calls, found.work.evaluations, found.work.evaluations_planned) == (1, 6, 12)
    assert 0.02 <= found.work.network_seconds <= found.work.working_seconds < found.wall_seconds
    assert 0 < found.startup_seconds < found.wall_seconds
    assert found.cpu_seconds > 0.1, "pytest has imported torch"
    assert "1 network calls, 6 evaluations" in caplog.text
    assert f"memory {found.memory_mb:.0f} MB of 500 MB" in caplog.text
    assert [path.name for path in file.parent.iterdir()] == [file.name], "no scratch is left"


def test_a_failed_job_is_recorded_as_failed(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), recorded(task()):
        _ = 1 / 0
    found = record.read(file)
    assert found is not None and found.reported is State.FAILED
    assert (found.requested_mb, found.requested_minutes) == (None, None)


def test_the_record_of_a_running_job_is_updated(file: Path) -> None:
    with recorded(task(), interval=0.02):
        first = wait_for(file)
        assert first.state(record.now()) is State.RUNNING
        with meter.network_call(3):
            pass
        deadline = time.monotonic() + 10
        while not (later := record.read(file)) or not later.work.evaluations:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert later.reported is State.RUNNING
        assert later.updated > first.updated


def test_a_job_whose_record_cannot_be_written_does_its_work(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    with recorded(task(), interval=0.01):
        time.sleep(0.05)
        result = 42
    assert result == 42


CHILD = """
import time
from types import SimpleNamespace
from underpainting_workflow.usage.recorder import recorded
names = {"log": ["logs/tiny/work.log"], "output": ["results/tiny/work"], "rule": "work"}
with recorded(SimpleNamespace(**names, threads=1, resources=None)):
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


def test_a_job_on_another_machine_is_lost_when_its_updates_stop() -> None:
    running = made("a", reported=State.RUNNING)
    assert running.state(NOW + timedelta(seconds=30)) is State.RUNNING
    assert running.state(NOW + timedelta(seconds=300)) is State.LOST
    assert made("a").state(NOW + timedelta(days=9)) is State.DONE


LARGE = """
import subprocess, sys
ballast = bytearray(400 * 2**20)
code = "from underpainting_workflow.usage import recorder; print(recorder.peak_memory())"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
"""


def test_the_memory_of_a_job_is_not_that_of_the_program_that_started_it() -> None:
    printed = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True).stdout
    assert 5 < float(printed) < 200


def test_memory_is_the_peak_not_the_present() -> None:
    code = "ballast = bytearray(300 * 2**20); del ballast\nfrom underpainting_workflow.usage import recorder\n"
    code += "print(recorder.peak_memory())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 300 < float(printed) < 400


def test_the_age_of_a_process_counts_its_start() -> None:
    code = (
        "import time; time.sleep(0.3)\nfrom underpainting_workflow.usage import recorder\nprint(recorder.process_age())"
    )
    began = time.perf_counter()
    age = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert 0.3 < age <= time.perf_counter() - began + 0.02


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


def test_progress_counts_jobs_and_evaluations_and_estimates_the_time_left() -> None:
    here = {
        "reported": State.RUNNING,
        "host": platform.node(),
        "pid": os.getpid(),
        "created": psutil.Process().create_time(),
    }
    records = [made("done"), made("half", **here), made("killed", **{**here, "pid": 1, "created": 0.0}), made("old")]
    records.append(made("broken", reported=State.FAILED))
    plain = progress(records, NOW)
    assert plain.counts == {State.DONE: 2, State.RUNNING: 1, State.FAILED: 1, State.LOST: 1}
    (half,) = plain.running
    assert (half.unit, half.done, half.planned, half.rate) == ("evaluations", 200, 400, 50.0)
    assert half.seconds_left == 5.0, "as long again as it took from its first call"
    assert plain.seconds_left == 5.0

    plan = [planned("done", runs=False), *map(planned, ("half", "killed", "broken", "next")), planned("new", "never")]
    found = progress(records, NOW, plan)
    counts = {State.DONE: 1, State.RUNNING: 1, State.FAILED: 1, State.LOST: 1, State.PENDING: 2}
    assert found.counts == counts
    assert (found.evaluations, found.evaluations_planned) == (400, 800), "of done and running jobs that the plan knows"
    assert found.seconds_left == 15.0, "and ten seconds for the next"
    assert found.unknown == 1


def test_what_was_made_again_since_a_failure_is_done() -> None:
    found = progress([made("a", reported=State.FAILED)], NOW, [planned("a", runs=False)])
    assert found.counts == {State.DONE: 1}


def test_a_training_reports_its_steps() -> None:
    work = meter.Work(0, 0, 0.0, 30, 6.0, None, 90, 7.0)
    here = {
        "reported": State.RUNNING,
        "host": platform.node(),
        "pid": os.getpid(),
        "created": psutil.Process().create_time(),
    }
    (job,) = progress([made("a", work=work, **here)], NOW + timedelta(seconds=4)).running
    assert (job.unit, job.done, job.planned, job.rate) == ("steps", 30, 90, 5.0)
    assert job.seconds_left == 10.0, "14 seconds when it reported, 4 seconds ago"


def test_efficiency_by_rule() -> None:
    late = (NOW + timedelta(seconds=40)).isoformat()
    records = [
        made("a"),
        made("b", wall_seconds=20.0, cpu_seconds=6.0, memory_mb=350.0, updated=late),
        made("c", rule="draw", requested_mb=None, requested_minutes=None, work=meter.Work()),
    ]
    sample, draw = efficiency.table(records, "rule").itertuples(index=False)
    assert (sample.rule, sample.jobs, sample.wall_seconds, sample.longest_seconds) == ("sample", 2, 30.0, 20.0)
    assert (sample.requested_seconds, sample.memory_mb, sample.requested_mb) == (60.0, 350.0, 400)
    assert (sample.calls, sample.evaluations, sample.evaluations_per_second) == (40, 400, 50.0)
    assert sample.cpu_efficiency == 0.5
    assert sample.busy == pytest.approx(8 / 30)
    assert isnan(draw.requested_seconds) and isnan(draw.evaluations_per_second) and draw.busy == 0
    assert efficiency.occupied_seconds(records) == 30.0
    assert efficiency.table(records, "job")["job"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wall_seconds": 90.0}, "1.5 of 1 minutes"),
        ({"memory_mb": 512.0}, "512 of 400 MB"),
        ({"cpu_seconds": 31.0}, "3.1 processors on 1 threads"),
        ({"memory_mb": 512.0, "requested_mb": None}, ""),
        ({}, ""),
    ],
)
def test_a_job_that_used_more_than_it_requested_is_named(changes: dict[str, object], words: str) -> None:
    assert ", ".join(efficiency.excess(made("a", **changes))) == words


def test_the_command_prints_the_table_and_writes_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Snakefile").touch()
    assert cli.main(["efficiency"]) == 0
    assert "no job has written a usage record" in capsys.readouterr().out
    record.write(made("results/tiny/a"), Path("logs/tiny/a.use.json"))
    assert cli.main(["efficiency", "tiny", "--csv", "use.csv"]) == 0
    printed = capsys.readouterr().out
    row = printed.splitlines()[1].replace(" s ", " ").split()
    assert row == ["sample", "1", "2.0", "10.0", "10.0", "1:00", "300", "400", "90%", "20", "200", "50.0", "40%"]
    assert "10.0 s with a job running, 4.0 s in network calls and training steps: 2.50 s for each" in printed
    (line,) = csv.DictReader(Path("use.csv").read_text().splitlines())
    assert (line["rule"], line["evaluations"], line["evaluations_per_second"]) == ("sample", "200", "50.0")
    record.write(made("results/tiny/b", memory_mb=512.0), Path("logs/tiny/b.use.json"))
    record.write(made("results/tiny/c", reported=State.FAILED), Path("logs/tiny/c.use.json"))
    assert cli.main(["efficiency", "--jobs"]) == 1
    printed = capsys.readouterr().out
    assert "results/tiny/b: 512 of 400 MB" in printed
    assert "results/tiny/c: failed" in printed


def test_the_command_shows_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Snakefile").touch()
    here = {
        "reported": State.RUNNING,
        "host": platform.node(),
        "pid": os.getpid(),
        "created": psutil.Process().create_time(),
    }
    long = meter.Work(20, 200, 4.0, 0, 0.0, 200_000, None, 5.0)
    fresh = record.now().isoformat()
    record.write(made("results/tiny/a", work=long, updated=fresh, **here), Path("logs/tiny/a.use.json"))
    record.write(made("results/tiny/b", reported=State.RUNNING, host=platform.node()), Path("logs/tiny/b.use.json"))
    assert cli.main(["progress"]) == 1, "a job is lost"
    jobs, _, running, total, left = capsys.readouterr().out.splitlines()
    assert jobs == "jobs: 0 done, 1 running, 0 failed, 1 lost, ? (--plan counts them) pending"
    assert running.split()[:6] == ["results/tiny/a", "200", "of", "200000", "evaluations", "50.0"]
    assert running.split()[6].startswith("1:23:1")
    assert total == "network evaluations of jobs done and running: 200 of 200000 (0%), 50 per second now"
    assert left.startswith("time left: about 1:23:1")
