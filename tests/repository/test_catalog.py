"""What the Snakemake workflow catalog and its reviewers look for: twenty points, each with the file that shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def text(name: str) -> str:
    """Return the content of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def has(name: str, pattern: str) -> Callable[[], bool]:
    """Return a check that a file has a pattern."""
    return lambda: re.search(pattern, text(name), re.MULTILINE) is not None


def some(folder: str, pattern: str, count: int = 1) -> Callable[[], bool]:
    """Return a check that a folder has files."""
    return lambda: len(list((ROOT / folder).glob(pattern))) >= count


POINTS: list[tuple[str, str, Callable[[], bool]]] = [
    ("the workflow is where the catalog looks", "workflow/Snakefile", has("workflow/Snakefile", r"^include: ")),
    ("its entry in the catalog", ".snakemake-workflow-catalog.yml", has(".snakemake-workflow-catalog.yml", r"^usage:")),
    ("what it is and how to use it", "README.md", has("README.md", r"^make run")),
    ("licence", "LICENSE", has("LICENSE", r"^MIT License")),
    ("configuration in a file of its own", "config/config.yaml", has("config/config.yaml", r"^studies:")),
    ("every key of the configuration explained", "config/README.md", has("config/README.md", r"^\| ")),
    ("configuration checked by a schema", "workflow/schemas", some("workflow/schemas", "*.schema.json", 2)),
    ("rules by stage", "rules", some("rules", "*.smk", 5)),
    ("a script for each computation", "scripts", some("scripts", "*.py", 30)),
    ("least version of Snakemake", "Snakefile", has("Snakefile", r"^min_version\(")),
    ("figures and tables in a report, with captions", "workflow/report", some("workflow/report", "*.rst", 10)),
    ("rules in snakefmt's format, and linted", "Makefile", has("Makefile", r"snakefmt --check")),
    ("profiles for clusters", "workflow/profiles/slurm", some("workflow/profiles", "*/config*.yaml", 2)),
    ("pinned versions", "requirements.lock", has("requirements.lock", r"^snakemake==")),
    (
        "deployment with conda",
        "workflow/envs/underpainting.yaml",
        has("workflow/envs/underpainting.yaml", r"conda-forge"),
    ),
    ("deployment with a container", "workflow/Dockerfile", has("workflow/Dockerfile", r"^COPY requirements.lock")),
    ("a tiny study for tests, run by CI", ".github/workflows/ci.yml", has(".github/workflows/ci.yml", r"\.ci/run")),
    (
        "use as a module of another repository",
        "tests/workflow/test_module.py",
        has("tests/workflow/test_module.py", "use rule"),
    ),
    ("how to cite it", "CITATION.cff", has("CITATION.cff", r"^cff-version")),
    ("releases with a changelog", "CHANGELOG.md", has("CHANGELOG.md", r"^## \[Unreleased\]")),
]


@pytest.mark.parametrize(("point", "file", "holds"), POINTS, ids=[point for point, _, _ in POINTS])
def test_a_file_shows_each_point(point: str, file: str, holds: Callable[[], bool]) -> None:
    assert (ROOT / file).exists() and holds(), f"{point}: {file}"


def test_there_are_twenty_points() -> None:
    assert len({point for point, _, _ in POINTS}) == 20


def test_the_environments_name_files_that_exist() -> None:
    environment = yaml.safe_load(text("workflow/envs/underpainting.yaml"))
    (pip,) = (part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    assert all((ROOT / "workflow/envs" / line.split()[1]).resolve().exists() for line in pip)
    ignored = text(".dockerignore").split()
    assert "results" in ignored and ".git" in ignored
