"""A working folder of its own in which the repository's Snakefile runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import sklearn.datasets  # noqa: F401  # so that not every fork imports it
import yaml
from snakemake import cli

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "studies" / "tiny.yaml"


@dataclass(frozen=True)
class Project:
    """A folder with configuration and results; `run` starts Snakemake in it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Project:
        """A project with the study `tiny`."""
        (folder / "config" / "studies").mkdir(parents=True)
        (folder / "config" / "config.yaml").write_text("studies: [tiny]\n")
        project = cls(folder)
        project.write(project.study())
        return project

    @property
    def file(self) -> Path:
        """The study file."""
        return self.folder / "config" / "studies" / "tiny.yaml"

    def study(self) -> dict[str, Any]:
        """The shipped tiny study, as plain values to be changed."""
        content: dict[str, Any] = yaml.safe_load(TINY.read_text(encoding="utf-8"))
        return content

    def write(self, content: dict[str, Any]) -> None:
        """Replace the study."""
        self.file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        """The command line of a Snakemake run."""
        return [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end in a process of its own; output and errors together in `stdout`.

        The process is a fork of this one, which has imported Snakemake already.
        """
        _, _, _, *options = command = self.command(*arguments)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            child = os.fork()
            if not child:
                _become_snakemake(self.folder, options, output.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            output.seek(0)
            return subprocess.CompletedProcess(command, code, output.read())

    def build(self, *arguments: str) -> str:
        """Run Snakemake, which must succeed."""
        result = self.run(*arguments)
        assert result.returncode == 0, result.stdout[-6000:]
        return result.stdout

    def planned(self, *arguments: str) -> dict[str, int]:
        """The jobs that a dry run plans, by rule."""
        text = self.build("--dry-run", *arguments)
        return {
            rule: int(count) for rule, count in re.findall(r"^([a-z_0-9]+) {2,}(\d+)$", text, re.M) if rule != "total"
        }

    def artifacts(self) -> dict[str, str]:
        """Digest of every file below results."""
        files = sorted(file for file in (self.folder / "results").rglob("*") if file.is_file())
        return {file.relative_to(self.folder).as_posix(): sha256(file.read_bytes()).hexdigest() for file in files}

    def kill_when(self, condition: Callable[[], bool], *arguments: str, seconds: float = 240.0) -> None:
        """Start Snakemake and, once the condition holds, kill it and all its jobs with SIGKILL."""
        for number in self.orphans_when(condition, *arguments, seconds=seconds):
            with_suppressed(number, signal.SIGKILL)

    def orphans_when(self, condition: Callable[[], bool], *arguments: str, seconds: float = 240.0) -> list[int]:
        """Start Snakemake and, once the condition holds, stop its jobs and kill it alone with SIGKILL.

        Returns:
            the jobs, which go on with SIGCONT.
        """
        with (self.folder / "killed.log").open("w") as log:
            process = subprocess.Popen(
                self.command(*arguments), cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
            deadline = time.monotonic() + seconds
            while not condition():
                assert process.poll() is None, (self.folder / "killed.log").read_text()[-6000:]
                assert time.monotonic() < deadline, "the condition for the kill never came"
                time.sleep(0.01)
            orphans = [number for number in self.processes() if number != process.pid]
            for number in orphans:
                with_suppressed(number, signal.SIGSTOP)
            with_suppressed(process.pid, signal.SIGKILL)
            process.wait()
        return orphans

    def processes(self) -> Iterator[int]:
        """Processes whose working folder is this project's."""
        for entry in Path("/proc").iterdir():
            try:
                inside = entry.name.isdigit() and (entry / "cwd").readlink() == self.folder
            except OSError:
                continue
            if inside and int(entry.name) != os.getpid():
                yield int(entry.name)


def _become_snakemake(folder: Path, options: list[str], output: int) -> NoReturn:
    """Do in this process, a fork, what `python -m snakemake` does, and end it."""
    code = 1
    try:
        os.chdir(folder)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = ["snakemake", *options]
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def with_suppressed(number: int, told: signal.Signals) -> None:
    """Send a signal, if the process is still there."""
    try:
        os.kill(number, told)
    except ProcessLookupError:
        return
