"""Attach provenance to a workflow, as called by `track` in a Snakefile.

Snakemake has no hooks for this, so parts of it are wrapped, here and in `records`: planning, to check results before
it; the function of each rule, to record the files that its jobs read and write; the end of a run, to update the
manifests.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from snakemake.io import is_flagged
from snakemake.sourcecache import LocalSourceFile, infer_source_file

from snakemake_provenance import code, job_records, locks, memory, packages, records, session
from snakemake_provenance.job_records import ChangedDuringJobError
from snakemake_provenance.refusal import refusing
from snakemake_provenance.settings import MEMORY, PARSED, SNAKEMAKE, Settings

log = logging.getLogger(__name__)

SHOWN = 5  # ignored lines of manifests that are reported at a start
_STARTED = "started_with.json"
_WORD = re.compile(r"[\w.@%+=,/-]+")  # words of a shell command
_NOT_FILES = ("directory", "pipe", "service", "temp", "update")  # flags of outputs that are not lasting files
_reading = threading.Lock()  # jobs run in threads, which share the code that is found


class Code(NamedTuple):
    """The code of a rule.

    Args:
        name: its first file.
        files: digests by file; none for a rule whose code Snakemake itself compares.
        versions: versions of the packages that it uses, by name.
    """

    name: str
    files: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The name and the combined digest of all files."""
        return f"{self.name} {code.combined(dict(self.files))}" if self.files else ""


class Tracker:
    """Provenance of one workflow.

    Args:
        workflow: Snakemake's, while it reads the Snakefile.
        files_of_code: digests by file, by the combined digest, for messages; rules may add theirs until planning
            begins.
    """

    def __init__(self, workflow: Any, settings: Settings, files_of_code: dict[str, Mapping[str, str]]) -> None:
        self.workflow, self.settings, self.files_of_code = workflow, settings, files_of_code
        self.memory = MEMORY.absolute()  # a job may change the working folder
        self._known: dict[tuple[str, str], Code] = {}

    def attach(self) -> None:
        """Wrap the workflow's planning and running, or its single job, whichever this process does."""
        code.recall(PARSED)
        records.compare_contents()
        records.record_more(self.settings, *([self._params] if self.settings.automatic else []))
        records.before_planning(self.workflow, self._begin)
        if self.workflow.is_main_process:
            records.export_plan(self.workflow)
        else:
            records.write_where_jobs_run(self.workflow)

    def _begin(self, runs: bool) -> None:
        if self.settings.automatic:
            for rule in self.workflow.rules:
                self._record_jobs_of(rule)
        if not self.workflow.is_main_process:
            return
        with refusing(locks.NoLocksError, OSError):
            locks.hold(SNAKEMAKE, self._check)
            code.remember(PARSED)
            if runs:
                self._take_over()
        records.after_running(self.workflow, lambda: session.export(self.settings))

    def _check(self) -> None:
        """Check the existing results, and report ignored lines of manifests."""
        self._find_code()
        for problem in session.look_first(self.settings, self.files_of_code).problems[:SHOWN]:
            log.warning("ignored: %s", problem)

    def _take_over(self) -> None:
        """Make this run the only one that publishes results; a second one beside it (`--nolock`) joins the first."""
        if not locks.hold_run(SNAKEMAKE):
            locks.join(SNAKEMAKE)
            return
        session.take_over(self.settings, self.files_of_code)
        started = {" ".join(key): [found.digest, dict(found.versions)] for key, found in self._known.items()}
        memory.remember(self.memory / _STARTED, started)

    # code of rules

    def _find_code(self) -> None:
        """Find the code of every rule for which it can be found before planning."""
        for rule in self.workflow.rules if self.settings.automatic else ():
            if "{" not in str(rule.script or rule.notebook or ""):
                self._code(rule, {})

    def _params(self, store: Any, job: Any) -> list[str]:
        """Return the recorded parameters of a job: its params, its code, the versions of its packages."""
        found = self._code(job.rule, job.wildcards)
        return [
            repr(value) for value in (records.params_by_name(store, job), found.digest, dict(found.versions)) if value
        ]

    def _code(self, rule: Any, wildcards: Any) -> Code:
        key = (rule.name, _path(rule, wildcards))
        if key not in self._known:
            self._known[key] = found = self._read_code(rule, wildcards)
            if found.files:
                self.files_of_code[found.digest] = found.files
        return self._known[key]

    def _read_code(self, rule: Any, wildcards: Any) -> Code:
        files, parts, imported = _files(rule, wildcards), dict[str, str](), set[str]()
        for file in files:
            if file.suffix == ".py":
                own = (file, self._packages(file), tuple(self.settings.unrelated))
                parts |= code.parts(*own)
                imported |= code.imported(*own)
            else:
                parts[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()[: code.DIGITS]
        elsewhere = rule.conda_env or rule.container_img
        name = os.path.relpath(files[0], self.workflow.basedir) if files else ""
        return Code(name, parts, {} if elsewhere else packages.versions(imported))

    def _packages(self, script: Path) -> code.Packages:
        roots = (script.parent, *(Path(self.workflow.basedir, name) for name in self.settings.modules))
        return tuple(dict.fromkeys(package for root in roots for package in code.packages_in(root)))

    # jobs

    def _record_jobs_of(self, rule: Any) -> None:
        if rule.norun or rule.run_func is None:
            return
        if found := {flag for flag in _NOT_FILES for file in (*rule.input, *rule.output) if is_flagged(file, flag)}:
            log.warning(
                "rule %s is not recorded (%s): Snakemake alone decides when it runs",
                rule.name,
                ", ".join(sorted(found)),
            )
            return
        run, touched = rule.run_func, [is_flagged(file, "touch") for file in rule.output]

        def run_and_record(input: Any, output: Any, params: Any, wildcards: Any, *others: Any) -> None:
            made = self._made(rule, wildcards)
            with job_records.recording(list(input), list(output), made, self.memory):
                with _staged(output, self.settings.staged) as places:
                    run(input, places, params, wildcards, *others)
                    for place, touch in zip(places, touched, strict=False):
                        if touch:
                            Path(place).touch()
                self._made(rule, wildcards)

        rule.run_func = run_and_record

    def _made(self, rule: Any, wildcards: Any) -> dict[str, str]:
        """Return the circumstances for a job record: the code, after a check that it and its packages are as at the start."""
        with _reading:
            code.refresh()
            found = self._read_code(rule, wildcards)
            started = memory.recall(self.memory / _STARTED) or {}
            digest, versions = started.get(f"{rule.name} {_path(rule, wildcards)}", (found.digest, {}))
            job_records.check_packages(found.name, versions)
        if digest != found.digest:
            raise ChangedDuringJobError(
                f"{found.name}, or what it imports, changed after the workflow started; start it again"
            )
        return {"code": found.digest} if found.files else {}


def _path(rule: Any, wildcards: Any) -> str:
    """Return the script or notebook of a rule, as written in the Snakefile; empty for other rules."""
    path = str(rule.script or rule.notebook or "")
    return path.format(wildcards=wildcards) if "{" in path else path


def _files(rule: Any, wildcards: Any) -> list[Path]:
    """List the existing files of a rule's code: its script, or those that its shell command names."""
    if path := _path(rule, wildcards):
        source = infer_source_file(path, rule.basedir)
        found = [Path(source.get_path_or_uri(secret_free=True))] if isinstance(source, LocalSourceFile) else []
    else:
        found = [Path(word) for word in _WORD.findall(rule.shellcmd or "") if not word.startswith("/")]
    return [file for file in dict.fromkeys(found) if file.is_file()]


@contextmanager
def _staged(output: Any, enabled: bool) -> Iterator[Any]:
    """Redirect a job's outputs into hidden folders beside them, and move them to their final paths if the job succeeds.

    Files that a job wrote to their final paths nevertheless stay there.

    Yields:
        the redirected outputs, with the same names.
    """
    places = {path: Path(path).with_name(f".{Path(path).name}.staged") / Path(path).name for path in output}
    if not enabled:
        yield output
        return
    try:
        for place in places.values():
            shutil.rmtree(place.parent, ignore_errors=True)
            place.parent.mkdir(parents=True)
        yield type(output)(toclone=output, custom_map=lambda path: str(places[path]))
        with locks.newest_run():
            for path, place in places.items():
                if place.exists():
                    _move(place, Path(path))
    finally:
        for place in places.values():
            shutil.rmtree(place.parent, ignore_errors=True)


def _move(place: Path, path: Path) -> None:
    if place.is_dir() and path.is_dir():
        shutil.rmtree(path)
    place.replace(path)
