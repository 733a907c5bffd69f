"""Snakemake's records of outputs, and hooks into its runs; only this module calls private parts of Snakemake.

`tests/provenance/test_private_calls.py` names each of these calls, so that a new version that changes one fails there
first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake.jobs import Job
from snakemake.persistence import RECORD_FORMAT_VERSION, UNREPRESENTABLE, MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake_interface_executor_plugins.settings import ExecMode

from snakemake_provenance.differences import NAMES_OF_FILES
from snakemake_provenance.settings import Settings

log = logging.getLogger(__name__)

_PARAMS = FilePersistence._params
KEPT = ("rule", "log", "params", "code", "shellcmd", "conda_env", "container_img_url", "software_stack_hash")
STALE = "STALE: "


class Records:
    """Records by output, in `.snakemake/metadata` of the working folder."""

    def __init__(self) -> None:
        self._store = FilePersistence(nolock=True)

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the record of an output as plain values, None without a complete one; remove a damaged one."""
        try:
            found: dict[str, Any] | None = self._store._io_read(self._store._metadata_path, path) or None
            if found:
                MetadataRecord.model_validate(found)
            return found
        except (OSError, ValueError, TypeError, RecursionError):
            file = Path(self._store._record_path(self._store._metadata_path, path))
            log.warning("%s is damaged, and removed", file)
            shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink(missing_ok=True)
            return None

    def complete(self, path: str) -> None:
        """Mark an output as complete, though its job did not end."""
        if self._store._filter_incomplete_keys([path]):
            self._store._unmark_incomplete(path)

    def write(self, path: str, kept: Mapping[str, Any], inputs: list[str], endtime: float) -> None:
        """Write the record of the job that made an output.

        Args:
            kept: values of the keys KEPT.
            inputs: local paths.
            endtime: modification time of the output, in seconds.
        """
        record = {**kept, "input": sorted(inputs), "incomplete": False, "input_checksums": {}}
        complete = MetadataRecord(
            **record, record_format_version=RECORD_FORMAT_VERSION, starttime=endtime, endtime=endtime
        )
        self._store._write_record(path, complete)

    def invalidate(self, path: str, reason: str, kept: Mapping[str, Any] | None, inputs: list[str] | None) -> None:
        """Write a record that matches no job, so that Snakemake makes the output again and prints the reason."""
        kept = {**(kept or {}), "params": [*((kept or {}).get("params") or []), STALE + reason]}
        record = {**kept, "input": sorted(inputs) if inputs is not None else None, "incomplete": False}
        self._store._write_record(path, MetadataRecord(**record, record_format_version=RECORD_FORMAT_VERSION))


def record_more(settings: Settings, params: Callable[[Any, Any], list[str]] = _PARAMS) -> None:
    """Make each record hold the names and order of a job's files, so that Snakemake compares them too.

    Snakemake compares inputs as a set, so swapping two of them would make nothing run. Source files do not count, since
    users who have the results need not have them.

    Args:
        params: returns the recorded parameters, given Snakemake's persistence and a job.
    """
    names = cache(partial(_names, results=settings.results))

    def params_and_names(self: Any, job: Any) -> list[Any]:
        return sorted([*params(self, job), repr({NAMES_OF_FILES: names(job)})])

    FilePersistence._params = params_and_names


def params_by_name(store: Any, job: Any) -> dict[str, Any]:
    """Return the parameters of a job that Snakemake compares, with their names, as it compares them as a set.

    Args:
        store: Snakemake's persistence.
    """
    rule = job.rule
    names = [
        name for name, value in rule.params._allitems() if not (callable(value) and rule._is_deriving_function(value))
    ]
    texts = [store._serialize_param(value) for value in job.non_derived_params]
    return {
        str(name or index): value if text == repr(value) else text
        for index, (name, value, text) in enumerate(zip(names, job.non_derived_params, texts, strict=True))
        if text is not UNREPRESENTABLE
    }


def compare_contents() -> None:
    """Make Snakemake ignore the file times of scripts, which are compared by content, and of benchmark files.

    Snakemake counts a benchmark file as an output, but it is not a result: nothing renews its time when an input is
    made again with the same bytes, so its job would run for nothing.
    """

    async def oldest(self: Any) -> float | None:
        times = [(await file.mtime()).local_or_storage() for file in self.output if await file.exists()]
        return min(times, default=None)

    async def none(_: Any) -> AsyncIterator[Any]:
        for file in list[Any]():
            yield file

    Job.output_mintime = property(oldest)
    Job.outputs_older_than_script_or_notebook = none


def _names(job: Any, results: str) -> str:
    """Digest the names and order of a job's inputs, and of its outputs if they have names; others may share a job."""
    seen = [_below(results, job.input), _named(results, job.input), _named(results, job.output)]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]


def _named(results: str, files: Any) -> list[list[Any]]:
    """List each name with its files."""
    places = ((name, *place) for name, place in files._get_names())
    return [[name, _below(results, files[begin : begin + 1 if end is None else end])] for name, begin, end in places]


def _below(results: str, files: Any) -> list[str]:
    return [str(path) for path in files if Path(str(path)).is_relative_to(results)]


def before_planning(workflow: Any, action: Callable[[bool], object]) -> None:
    """Make Snakemake run killed jobs again, and call `action` before it plans.

    Killed jobs need no `--rerun-incomplete`, since the files that they left are not recorded.

    Args:
        workflow: Snakemake's, while it reads the Snakefile; its settings come later, so this waits for them.
        action: called with whether a real (not dry) run follows.
    """
    prepare = workflow._prepare_dag

    def prepare_with_setting(*args: Any, **kwargs: Any) -> Any:
        workflow.dag_settings.force_incomplete = True
        action(workflow.executor_plugin is not None and not workflow.dryrun)
        return prepare(*args, **kwargs)

    workflow._prepare_dag = prepare_with_setting


def after_running(workflow: Any, action: Callable[[], object]) -> None:
    """Call `action` at the end of a run, after the handlers of the Snakefile, whether the run succeeded or not."""

    def after(own: Callable[[str], object]) -> Callable[[str], None]:
        def end(file: str) -> None:
            try:
                own(file)
            finally:
                action()

        return end

    workflow._onsuccess, workflow._onerror = after(workflow._onsuccess), after(workflow._onerror)


def write_where_jobs_run(workflow: Any) -> None:
    """Make the Snakemake within a cluster's job write the records of its outputs, as the submitting Snakemake does.

    So the outputs count even if the submitting Snakemake was killed meanwhile.
    """
    build = workflow._build_dag

    def build_and_hook(*args: Any, **kwargs: Any) -> Any:
        result = build(*args, **kwargs)
        store = workflow.persistence
        finished = store.finished
        own = FilePersistence(nolock=True, dag=SimpleNamespace(workflow=_AsMain(workflow)))

        async def finished_and_recorded(job: Any) -> None:
            await finished(job)
            await own.finished(job)

        store.finished = finished_and_recorded
        return result

    workflow._build_dag = build_and_hook


class _AsMain:
    """A workflow that reports to be the one that submits jobs."""

    exec_mode = ExecMode.DEFAULT

    def __init__(self, workflow: Any) -> None:
        self._workflow = workflow

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workflow, name)


def after_planning(workflow: Any, action: Callable[[list[dict[str, Any]]], None]) -> None:
    """Call `action` with every job, once Snakemake has decided which of them have to run.

    Each job is a mapping: the fields of `plan.Job`.
    """
    build = workflow._build_dag

    def build_and_call(*args: Any, **kwargs: Any) -> Any:
        result = build(*args, **kwargs)
        action([_plain(workflow, job) for job in workflow.dag.jobs if job.output])
        return result

    workflow._build_dag = build_and_call


def _plain(workflow: Any, job: Any) -> dict[str, Any]:
    runs = bool(workflow.dag.needrun(job))
    return {
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards.items()),
        "outputs": [str(path) for path in job.output],
        "inputs": [str(path) for path in job.input],
        "params": workflow.persistence._params(job),
        "threads": job.threads,
        "resources": _numbers(job.resources),
        "runs": runs,
        "reason": str(workflow.dag.reason(job)) if runs else "",
    }


def _numbers(resources: Any) -> dict[str, float]:
    """Return the numeric resources that a job requests, without those that begin with _, which are Snakemake's."""
    return {
        name: value for name, value in resources.items() if isinstance(value, int | float) and not name.startswith("_")
    }


def export_plan(workflow: Any, variable: str = "SNAKEMAKE_PLAN") -> None:
    """Write the plan as JSON into the file that an environment variable names, if it is set."""
    target = os.environ.get(variable)
    if target:
        after_planning(workflow, lambda jobs: _write(Path(target), jobs))


def _write(target: Path, jobs: list[dict[str, Any]]) -> None:
    target.write_text(json.dumps(jobs), encoding="utf-8")
