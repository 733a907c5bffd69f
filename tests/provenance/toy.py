"""The example workflow in clones of its own; Snakemake and the commands run in the test's process, which saves their start."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from snakemake.cli import main as snakemake

from snakemake_provenance import cli, code, locks

EXAMPLE = Path(__file__).with_name("example")
README = Path(cli.__file__).with_name("README.md")
PERSON = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "somebody"), ("EMAIL", "somebody@example.org"))
}
OWN = {**PERSON, "DVC_NO_ANALYTICS": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@dataclass(frozen=True)
class Clone:
    """One person's clone of the example."""

    folder: Path

    @contextmanager
    def inside(self, **variables: str) -> Iterator[None]:
        """Be in its folder, as a new process would be; locks end with it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name, value in {**OWN, **variables}.items():
                patch.setenv(name, value)
            patch.delenv(locks.RUN, raising=False)
            code.forget()
            try:
                yield
            finally:
                locks.release()

    def snakemake(self, *arguments: str, **variables: str) -> int:
        """Run Snakemake; return its exit status."""
        with self.inside(**variables), pytest.raises(SystemExit) as end:
            snakemake(["--cores", "2", "--quiet=all", *arguments])
        return int(end.value.code or 0)

    def build(self, *arguments: str) -> None:
        """Run Snakemake, which must succeed."""
        assert self.snakemake(*arguments) == 0

    def plan(self, *arguments: str) -> Plan:
        """Return what a dry run would do."""
        file = self.folder / "plan.json"
        assert self.snakemake("--dry-run", *arguments, SNAKEMAKE_PLAN=str(file)) == 0
        jobs = json.loads(file.read_text(encoding="utf-8"))
        file.unlink()
        return Plan(self, {job["outputs"][0].removeprefix("results/"): job for job in jobs})

    def tool(self, *arguments: str, status: int = 0) -> None:
        """Run `snakemake-provenance`, which must end with an exit status."""
        with self.inside():
            assert cli.main(arguments) == status

    def command(self, *command: str) -> str:
        """Run another program, which must succeed; return what it prints."""
        result = subprocess.run(
            command, cwd=self.folder, env={**os.environ, **OWN}, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}"
        return result.stdout

    def git(self, *arguments: str) -> str:
        """Run git."""
        return self.command("git", *arguments)

    def commit(self, message: str = "change") -> None:
        """Commit all that git sees."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def clone(self, name: str) -> Clone:
        """Make another person's clone of the same origin, beside this one."""
        other = Clone(self.folder.parent / name)
        self.git("clone", "--quiet", "../origin.git", str(other.folder))
        other.git("remote", "set-url", "origin", "../origin.git")  # relative: the folder of all may be copied elsewhere
        return other

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text in a file, once."""
        text = (self.folder / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}"
        (self.folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


@dataclass(frozen=True)
class Plan:
    """A dry run in a clone: every job by its first output, below `results`."""

    place: Clone
    jobs: Mapping[str, Mapping[str, Any]]

    def runs(self) -> set[str]:
        """Return the jobs that would run."""
        return {name for name, job in self.jobs.items() if job["runs"]}

    def behind(self, first: Collection[str]) -> set[str]:
        """Return jobs, and all that is made of what they make."""
        found = set(first)
        while True:
            made = {path for name in found for path in self.jobs[name]["outputs"]}
            more = {name for name, job in self.jobs.items() if made & set(job["inputs"])} - found
            if not more:
                return found
            found |= more


@dataclass(frozen=True)
class World:
    """Two people, their origin and their store, side by side in one folder that can be copied."""

    folder: Path

    @property
    def producer(self) -> Clone:
        """Who made the results."""
        return Clone(self.folder / "producer")

    @property
    def colleague(self) -> Clone:
        """Who cloned and pulled them."""
        return Clone(self.folder / "colleague")

    @classmethod
    def make(cls, folder: Path) -> World:
        """Do what the README of the package says, as it is typed there."""
        block = re.search(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
        assert block
        commands = block[1].replace("snakemake-provenance", f"{sys.executable} -m snakemake_provenance")
        folder.mkdir()
        result = subprocess.run(
            ["bash", "-euxc", commands],
            cwd=folder,
            env={**os.environ, **OWN, "EXAMPLE": str(EXAMPLE)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0 and "Nothing to be done" in result.stdout, result.stdout
        world = cls(folder)
        # relative: the folder may be copied elsewhere
        world.colleague.git("remote", "set-url", "origin", "../origin.git")
        return world

    def copy(self, folder: Path) -> World:
        """Copy everything elsewhere."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copy2, symlinks=True)
        return World(folder)
