"""Run a script: call its `main` with typed arguments, log to a file, record its resources, inputs and outputs.

A script ends with `run(main)`. Each parameter of `main` is filled by its name, and converted to its annotation:

=============== =====================================================================================
`inputs`        all inputs in their order (`list[str]`); or, by name, those that no other parameter names: as
                single files, without names that have no file (`dict[str, str]`), or as lists (`dict[str, list[str]]`)
NAME            the first of the input, output, wildcard, entry of `params.config`, and resource of that name
`outputs`       like `inputs`, for outputs
`output`        the only output
`config`        `params.config`, a dictionary
`seeds`         range of the wildcards `first` and `stop`
`compute`       device and number format (`Compute`)
`job`           the `Job` itself
=============== =====================================================================================

A file is `str`, `str | None` where it may be missing, or `list[str]` where there may be several.

For debugging, a script can be started by hand with a job file, which every job writes beside its log; its outputs then
go below another folder, and nothing is recorded: `python scripts/SCRIPT.py logs/STUDY/LOG.job.json [FOLDER]`.
"""

from __future__ import annotations

import inspect
import json
import logging
import platform
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from snakemake_provenance import code, locks
from snakemake_provenance.job_records import ChangedDuringJobError, check_packages, recording
from snakemake_provenance.settings import PARSED
from underpainting.io import writing
from underpainting_workflow.jobs import code_of
from underpainting_workflow.origins import use_threads, versions
from underpainting_workflow.usage.recorder import recorded

if TYPE_CHECKING:
    from snakemake.script import Snakemake

log = logging.getLogger(__name__)

DEBUG_FOLDER = "debug"
_ATTEMPT = "attempt"  # first word that each attempt logs


@dataclass(frozen=True)
class Job:
    """A job, as a script receives it.

    Attributes:
        rule: name of the rule.
        inputs, outputs: paths by name.
        all_inputs, all_outputs: paths in their order, those without a name included.
        wildcards: as text.
        config: the parameters that the result depends on.
        code: "SCRIPT DIGEST".
        resources: requested resources, and further paths that are not inputs.
        threads: number of threads.
        log: path of the log.
    """

    rule: str
    inputs: Mapping[str, list[str]]
    outputs: Mapping[str, list[str]]
    all_inputs: list[str]
    all_outputs: list[str]
    wildcards: Mapping[str, str]
    config: Mapping[str, Any]
    code: str
    resources: Mapping[str, Any]
    threads: int
    log: str

    @classmethod
    def of(cls, task: Snakemake) -> Job:
        """Make a job from Snakemake's object in a script."""
        return cls(
            rule=task.rule,
            inputs=_by_name(task.input),
            outputs=_by_name(task.output),
            all_inputs=[str(file) for file in task.input],
            all_outputs=[str(file) for file in task.output],
            wildcards=dict(task.wildcards.items()),
            config=dict(getattr(task.params, "config", {})),
            code=task.params.code,
            resources=dict(task.resources.items()),
            threads=task.threads,
            log=str(task.log[0]),
        )

    @property
    def file(self) -> Path:
        """File of the job, beside its log."""
        return Path(self.log).with_suffix(".job.json")

    def save(self) -> None:
        """Write the job's file."""
        writing.write_atomically(self.file, json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, file: str | Path, folder: str | Path) -> Job:
        """Read a job from its file, and move its outputs below a folder."""
        job = cls(**json.loads(Path(file).read_text(encoding="utf-8")))
        return replace(
            job,
            outputs={name: _below(folder, files) for name, files in job.outputs.items()},
            all_outputs=_below(folder, job.all_outputs),
        )

    def arguments(self, main: Callable[..., None]) -> dict[str, Any]:
        """Find the value of each parameter of `main`.

        Raises:
            TypeError: a parameter has no value, or several files where its annotation says one.
        """
        kinds = get_type_hints(main)
        names = list(inspect.signature(main).parameters)
        return {
            name: self._files(name, kinds[name], names)
            if name in ("inputs", "outputs")
            else self._argument(name, kinds[name])
            for name in names
        }

    def _argument(self, name: str, kind: Any) -> Any:
        known = {
            "output": lambda: _one(name, self.all_outputs, kind),
            "config": lambda: dict(self.config),
            "seeds": lambda: range(int(self.wildcards["first"]), int(self.wildcards["stop"])),
            "compute": lambda: kind(self.resources["device"], **self.config["compute"]),
            "job": lambda: self,
        }
        return known[name]() if name in known else self._named(name, kind)

    def _files(self, group: str, kind: Any, named: Sequence[str]) -> Any:
        if get_origin(kind) is list:
            return list(getattr(self, f"all_{group}"))
        each = get_args(kind)[1]
        files: Mapping[str, list[str]] = getattr(self, group)
        rest = {name: values for name, values in files.items() if name not in named}
        return {name: _one(name, values, each) for name, values in rest.items() if values or each is not str}

    def _named(self, name: str, kind: Any) -> Any:
        for files in (self.inputs, self.outputs):
            if name in files:
                return _one(name, files[name], kind)
        if name in self.wildcards:
            return kind(self.wildcards[name])
        for values in (self.config, self.resources):
            if name in values:
                return values[name]
        if _may_be_missing(kind):
            return _one(name, [], kind)
        raise TypeError(f"{self.rule}: no input, output, wildcard, parameter or resource is named {name}")


def run(main: Callable[..., None]) -> None:
    """Run a script's `main` for the job that Snakemake gives to the script, or for the job file on the command line."""
    task = main.__globals__.get("snakemake")
    if task is None:
        _run_by_hand(main, *sys.argv[1:])
        return
    writing.guard_with(locks.newest_run)
    job = Job.of(task)
    with recorded(task), _logging(job.log), recording(job.all_inputs, job.all_outputs, {"code": job.code}):
        job.save()
        check_code(Path(task.scriptdir), job.code)
        check_packages(job.code.split()[0], task.params.packages)
        _call(main, job)


def _run_by_hand(main: Callable[..., None], file: str = "", folder: str = DEBUG_FOLDER) -> None:
    if not file.endswith(".job.json"):
        sys.exit(f"usage: {sys.argv[0]} logs/.../NAME.job.json [FOLDER]\nEvery job leaves its job file beside its log.")
    logging.basicConfig(level=logging.INFO)
    _call(main, Job.load(file, folder))
    log.info("the outputs are below %s", folder)


def _call(main: Callable[..., None], job: Job) -> None:
    arguments = job.arguments(main)
    if "torch" in sys.modules:
        use_threads(job.threads)
    main(**arguments)


def _by_name(files: Any) -> dict[str, list[str]]:
    return {
        name: [str(file) for file in ([value] if isinstance(value, str) else value)] for name, value in files.items()
    }


def _below(folder: str | Path, files: Sequence[str]) -> list[str]:
    return [str(Path(folder) / file) for file in files]


def _one(name: str, files: Sequence[str], kind: Any) -> Any:
    """Convert files to `str`, `str | None` or `list[str]`, by the annotation.

    Raises:
        TypeError: the annotation takes one file, but there is another number of files.
    """
    if get_origin(kind) is list:
        return list(files)
    if len(files) == 1 or (not files and _may_be_missing(kind)):
        return files[0] if files else None
    raise TypeError(f"{name} is {len(files)} files instead of one")


def _may_be_missing(kind: Any) -> bool:
    return get_origin(kind) in (list, Union, types.UnionType)


def check_code(folder: Path, started_with: str) -> None:
    """Check that the code has not changed since the workflow started.

    Raises:
        ChangedDuringJobError: the code has changed.
    """
    name = started_with.split()[0]
    code.recall(PARSED)
    if started_with != f"{name} {code.combined(code_of(folder, name))}":
        raise ChangedDuringJobError(f"{name}, or what it imports, changed after the workflow started; start it again")


@contextmanager
def _logging(log_file: str | Path) -> Iterator[None]:
    attempt = _start_log(Path(log_file))
    handler = logging.FileHandler(log_file, mode="a", encoding="utf-8")  # a program that the job starts may append, too
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler], force=True
    )
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    found = ", ".join(f"{name} {text}" for name, text in versions().items())
    log.info("%s %d: python %s, %s", _ATTEMPT, attempt, platform.python_version(), found)
    try:
        yield
    except BaseException as error:
        log.exception("failed: %s", error)
        raise
    finally:
        handler.flush()
    log.info("done")
    _unfinished(Path(log_file)).unlink(missing_ok=True)


def _unfinished(file: Path) -> Path:
    """Return the second name of a log while its job has not succeeded; Snakemake removes the first before a retry."""
    return file.with_suffix(".unfinished")


def _start_log(file: Path) -> int:
    """Create a log that begins with those of attempts that failed or were killed; return the number of this attempt."""
    kept = _unfinished(file)
    text = kept.read_text(encoding="utf-8", errors="replace") if kept.is_file() else ""
    kept.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    with suppress(OSError):  # a file system without hard links
        kept.hardlink_to(file)
    return text.count(f"{__name__}: {_ATTEMPT} ") + 1
