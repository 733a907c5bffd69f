"""A repository of its own, with code, results, git and DVC: what one person works in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.workflow.project import ROOT, Project

CODE = ("Snakefile", "rules", "scripts", "src", "workflow", "dvc.yaml", ".dvcignore", ".gitattributes", ".gitignore")


@dataclass(frozen=True)
class Workplace:
    """A clone; commands run in it with its own code.

    Args:
        folder: its folder.
        home: the user's home, with the settings of git and SSH.
    """

    folder: Path
    home: Path

    @classmethod
    def make(cls, folder: Path, home: Path, built: Project) -> Workplace:
        """A repository with the code of this one, the tiny study and its results."""
        folder.mkdir(parents=True)
        for name in CODE:
            source = ROOT / name
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.jsonl")
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, folder / name, **({"ignore": ignore} if source.is_dir() else {}))  # type: ignore[operator]
        for name in ("config", "results", ".snakemake"):
            shutil.copytree(built.folder / name, folder / name, copy_function=shutil.copy2)
        home.mkdir(exist_ok=True)
        return cls(folder, home)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of its commands."""
        name = self.folder.name
        person = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", name), ("EMAIL", f"{name}@example.org"))
        }
        own = {"PYTHONPATH": str(self.folder / "src"), "HOME": str(self.home), "DVC_NO_ANALYTICS": "1"}
        kept = {key: value for key, value in os.environ.items() if key != "UNDERPAINTING_DATA"}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        return {**kept, **person, **own, "PATH": path}

    def try_command(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command; output and errors together."""
        environment = {**self.environment, **variables}
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def command(self, *command: str, **variables: str) -> str:
        """Run a command, which must succeed."""
        result = self.try_command(*command, **variables)
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout[-5000:]}"
        return result.stdout

    def git(self, *arguments: str) -> str:
        """Run git."""
        return self.command("git", *arguments)

    def dvc(self, *arguments: str) -> str:
        """Run DVC."""
        return self.command(sys.executable, "-m", "dvc", *arguments)

    def tool(self, *arguments: str) -> str:
        """Run `underpainting`, which must find nothing wrong."""
        return self.command(sys.executable, "-m", "underpainting_workflow", *arguments)

    def snakemake(self, *arguments: str) -> str:
        """Run Snakemake."""
        return self.command(sys.executable, "-m", "snakemake", "--cores", "2", *arguments)

    def commit(self, message: str = "change") -> None:
        """Commit all that git sees."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def clone(self, name: str) -> Workplace:
        """Another person's clone of the same origin, beside this one."""
        origin = self.git("remote", "get-url", "origin").strip()
        other = Workplace(self.folder.parent / name, self.home)
        self.git("clone", "--quiet", origin, str(other.folder))
        other.git("remote", "set-url", "origin", origin)  # relative: the whole world may be copied elsewhere
        return other

    def study(self, change: Mapping[str, Any], name: str = "tiny") -> None:
        """Change keys of a study file; a key may be a path (`teleport.skipped_steps`)."""
        file = self.folder / f"config/studies/{name}.yaml"
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for key, value in change.items():
            *sections, last = key.split(".")
            part = content
            for section in sections:
                part = part[section]
            part[last] = value
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text in a file, once."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def plan(self, *arguments: str) -> Plan:
        """What a dry run of Snakemake would do."""
        file = self.folder / "plan.json"
        self.command(
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "2",
            "--dry-run",
            "--quiet=all",
            *arguments,
            SNAKEMAKE_PLAN=str(file),
        )
        jobs = json.loads(file.read_text(encoding="utf-8"))
        file.unlink()
        return Plan({job["outputs"][0]: job for job in jobs})


@dataclass(frozen=True)
class Plan:
    """A dry run: every job by its first output."""

    jobs: Mapping[str, Mapping[str, Any]]

    def runs(self) -> set[str]:
        """The jobs that would run."""
        return {name for name, job in self.jobs.items() if job["runs"]}

    def of_rules(self, *rules: str) -> set[str]:
        """The jobs of rules; all, if none is named."""
        return {name for name, job in self.jobs.items() if not rules or job["rule"] in rules}

    def behind(self, first: Collection[str]) -> set[str]:
        """Jobs, and all that is made of what they make."""
        found = set(first)
        while True:
            made = {path for name in found for path in self.jobs[name]["outputs"]}
            more = {name for name, job in self.jobs.items() if made & set(job["inputs"])} - found
            if not more:
                return found
            found |= more
