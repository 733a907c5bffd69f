"""From a job's record to a manifest and back to Snakemake's records, without Snakemake."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from snakemake_provenance import code, manifest, session
from snakemake_provenance.freshness import State, latest
from snakemake_provenance.job_records import ChangedDuringJobError, recording
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.records import STALE, Records
from snakemake_provenance.settings import Settings
from snakemake_provenance.verifying import verify
from underpainting_workflow import jobs, runner

pytestmark = pytest.mark.usefixtures("place")

SETTINGS = Settings(manifests="workflow/provenance", places={"{data}": "data"})
OUTPUT, SOURCE = "results/study/out", "data/source"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("results/study", "data", "scripts"):
        Path(name).mkdir(parents=True)
    Path(SOURCE).write_text("source")
    return tmp_path


def run_job(text: str = "result", recorded: bool = True) -> None:
    """What a job does, and what Snakemake does after it."""
    with recording([SOURCE], [OUTPUT], {"code": "script 12"}):
        Path(OUTPUT).write_text(text)
    if recorded:
        os.utime(OUTPUT)
        Records().write(OUTPUT, {"rule": "r", "params": ["'p'"]}, [SOURCE], Path(OUTPUT).stat().st_mtime)


def state() -> State:
    return next(status.state for status in session.begin(SETTINGS).statuses if status.path == OUTPUT)


def params() -> list[str]:
    record = Records().read(OUTPUT)
    assert record
    return list(record["params"])


def test_a_job_becomes_a_line_of_the_manifest(place: Path) -> None:
    run_job()
    assert session.export(SETTINGS) == ["workflow/provenance/study.jsonl"]
    assert session.export(SETTINGS) == []
    (fact,) = manifest.read(Path("workflow/provenance/study.jsonl")).facts[OUTPUT]
    assert list(fact.inputs) == ["{data}/source"]
    assert fact.record["params"] == ["'p'"]
    assert str(place) not in fact.line()


def test_a_clone_gets_the_record_back() -> None:
    run_job()
    session.export(SETTINGS)
    shutil.rmtree(".snakemake")
    assert state() is State.FRESH
    assert params() == ["'p'"]


def test_a_fresh_output_is_made_as_new_as_its_inputs() -> None:
    run_job()
    ahead = time.time() + 1000
    os.utime(SOURCE, (ahead, ahead))
    assert state() is State.FRESH
    assert Path(OUTPUT).stat().st_mtime >= ahead


def test_a_job_record_without_snakemakes_record_counts_for_nothing() -> None:
    run_job(recorded=False)
    assert state() is State.UNKNOWN
    assert params() == [f"{STALE}no job is known to have written these bytes"]


def test_bytes_altered_before_they_were_gathered_count_for_nothing() -> None:
    run_job()
    before = Path(OUTPUT).stat()
    Path(OUTPUT).write_text("RESULT")
    os.utime(OUTPUT, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert state() is State.UNKNOWN


def test_a_false_record_is_replaced() -> None:
    """As `snakemake --touch` leaves one."""
    run_job()
    session.export(SETTINGS)
    Records().write(OUTPUT, {"rule": "r", "params": ["'another'"]}, [SOURCE], time.time())
    assert state() is State.FRESH
    assert params() == ["'p'"]


def test_an_altered_source_makes_stale_and_says_why() -> None:
    run_job()
    Path(SOURCE).write_text("another")
    assert state() is State.STALE
    assert params() == ["'p'", f"{STALE}data/source is not what it was made from"]
    Path(SOURCE).write_text("source")
    assert state() is State.FRESH
    assert params() == ["'p'"]


def test_an_uncommitted_manifest_may_be_lost() -> None:
    """The ledger of this clone remembers what it made."""
    run_job()
    session.export(SETTINGS)
    shutil.rmtree("workflow")
    assert state() is State.FRESH


def test_an_input_altered_during_a_job_fails_it() -> None:
    def job() -> None:
        with recording([SOURCE], [OUTPUT], {}):
            Path(OUTPUT).write_text("result")
            Path(SOURCE).write_text("another")

    with pytest.raises(ChangedDuringJobError, match=f"{SOURCE} changed"):
        job()
    assert state() is State.UNKNOWN


def test_a_failed_job_says_nothing() -> None:
    def job() -> None:
        with recording([SOURCE], [OUTPUT], {}):
            Path(OUTPUT).write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        job()
    assert not list(Path(".snakemake/provenance").glob("job_records/*"))


def test_code_altered_during_a_run_fails_the_job() -> None:
    Path("scripts/work.py").write_text("VALUE = 1\n")
    digest = f"work {code.combined(jobs.code_of(Path('scripts'), 'work'))}"
    runner.check_code(Path("scripts"), digest)
    Path("scripts/work.py").write_text("VALUE = 2\n")
    code.forget()
    with pytest.raises(ChangedDuringJobError, match="work, or what it imports"):
        runner.check_code(Path("scripts"), digest)


def test_the_manifest_is_readable_json() -> None:
    run_job()
    session.export(SETTINGS)
    lines = Path("workflow/provenance/study.jsonl").read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == [OUTPUT]


def test_a_former_version_is_not_what_is_recorded_now() -> None:
    run_job("first")
    session.export(SETTINGS)
    run_job("second")
    session.export(SETTINGS)
    Path(OUTPUT).write_text("first")
    ledger = Ledger()
    ledger.load()
    recorded = manifest.read_all(SETTINGS)
    found = verify([OUTPUT], latest(ledger, recorded))
    assert [finding.path for finding in found] == [OUTPUT]


def test_a_manifest_that_is_no_text_is_written_again_and_no_fact_is_lost() -> None:
    run_job()
    (name,) = session.export(SETTINGS)
    with Path(name).open("ab") as file:
        file.write(b"\xe9\n")
    run_job("other")
    assert session.export(SETTINGS) == [name]
    assert state() is State.FRESH
    assert session.export(SETTINGS) == []


def test_what_was_gathered_is_kept_whatever_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise OSError("no room")

    run_job()
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "write", fail)
        with pytest.raises(OSError, match="no room"):
            session.export(SETTINGS)
    assert session.export(SETTINGS) == ["workflow/provenance/study.jsonl"]
    assert state() is State.FRESH


def test_a_stray_file_whose_name_is_no_text_is_passed_over() -> None:
    run_job()
    Path(os.fsdecode(b"results/study/\xff.csv")).write_text("stray")
    assert state() is State.FRESH
    assert len(session.look(SETTINGS).statuses) == 1


def test_a_link_that_leads_nowhere_is_no_result(place: Path) -> None:
    run_job()
    Path("results/study/lost").symlink_to(place / "cache/of/a/disk")
    with pytest.raises(FileNotFoundError, match="leads nowhere") as error:
        session.begin(SETTINGS)
    assert error.value.filename == "results/study/lost"
    assert Path("results/study/lost").is_symlink(), "nothing that was there is lost"
