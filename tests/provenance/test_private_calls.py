"""What Snakemake and DVC keep private and we use: named here, so that a new version that changes it is found here first."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc_ssh import SSHFileSystem
from snakemake import persistence
from snakemake.api import Workflow
from snakemake.dag import DAG
from snakemake.iocontainers import InputFiles, OutputFiles, Params
from snakemake.jobs import Job
from snakemake.persistence.file import FilePersistence
from snakemake.rules import Rule
from snakemake.script import PythonScript

from snakemake_provenance import dvc_process
from snakemake_provenance.records import KEPT, STALE, Records


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (FilePersistence, "_io_read"),
        (FilePersistence, "_record_path"),
        (FilePersistence, "_write_record"),
        (FilePersistence, "_filter_incomplete_keys"),
        (FilePersistence, "_unmark_incomplete"),
        (FilePersistence, "_params"),
        (Params, "_allitems"),
        (Rule, "_is_deriving_function"),
        (Job, "outputs_older_than_script_or_notebook"),
        (Workflow, "_prepare_dag"),
        (Workflow, "_build_dag"),
        (FilePersistence, "finished"),
        (InputFiles, "_get_names"),
        (OutputFiles, "_get_names"),
        (DAG, "needrun"),
        (DAG, "reason"),
        (SSHFileSystem, "_prepare_credentials"),
        (PythonScript, "execute_script"),
        (PythonScript, "_execute_cmd"),
        (DAG, "needrun_jobs"),
    ],
)
def test_it_is_there(owner: type, name: str) -> None:
    assert callable(getattr(owner, name, None)), (
        f"{owner.__module__}.{owner.__name__}.{name} is gone: see records.py and fork_server.py"
    )


def test_parameters_can_be_written_as_text() -> None:
    assert isinstance(FilePersistence._serialize_param, property)


@pytest.mark.parametrize("name", ["threads", "resources", "output_mintime"])
def test_a_job_tells_what_it_asks_for(name: str) -> None:
    assert isinstance(getattr(Job, name, None), property), f"snakemake.jobs.Job.{name} is gone: see records.py"


def test_a_record_has_the_fields_that_are_kept() -> None:
    fields = set(persistence.MetadataRecord.model_fields)
    needed = {*KEPT, "input", "starttime", "endtime", "incomplete", "input_checksums", "record_format_version"}
    assert needed <= fields, f"{needed - fields} are gone from Snakemake's records: see records.py"
    assert persistence.RECORD_FORMAT_VERSION == 6, (
        "Snakemake's records have a new format: read what it means for records.py"
    )


def test_a_record_that_is_written_is_read_by_snakemake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Records().write("results/x", {"rule": "r", "params": ["'p'"]}, ["b", "a"], 12.5)
    found = FilePersistence(nolock=True)._read_record("results/x")
    assert found is not None
    assert (found.rule, found.params, found.input, found.endtime) == ("r", ["'p'"], ["a", "b"], 12.5)
    Records().invalidate("results/x", "altered", {"params": ["'p'"]}, None)
    invalid = FilePersistence(nolock=True)._read_record("results/x")
    assert invalid is not None and invalid.params == ["'p'", f"{STALE}altered"]


def test_an_incomplete_mark_can_be_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FilePersistence(nolock=True)._mark_incomplete("results/x", None)
    Records().complete("results/x")
    assert not FilePersistence(nolock=True)._filter_incomplete_keys(["results/x"])


def test_dvc_is_made_to_check_host_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SSHFileSystem, "_prepare_credentials", SSHFileSystem._prepare_credentials)
    dvc_process.check_host_keys()
    bare = SSHFileSystem.__new__(SSHFileSystem)
    assert bare._prepare_credentials(host="example.org")["known_hosts"] == ()
