"""One tiny study built once, and fresh projects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.project import Project
from tests.workflow.world import World


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study, built to its report through Snakemake; for reading only."""
    project = Project.make(tmp_path_factory.mktemp("built") / "project")
    project.build("all")
    return project


@pytest.fixture
def copy(built: Project, tmp_path: Path) -> Project:
    """A copy of the built study, file times and Snakemake's records included, to be changed at will."""
    shutil.copytree(built.folder, tmp_path / "project", copy_function=shutil.copy2, symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project in which nothing has been built."""
    return Project.make(tmp_path / "project")


@pytest.fixture(scope="session")
def shared(built: Project, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The tiny study, pushed by one person and pulled by another; for reading only."""
    return World.make(tmp_path_factory.mktemp("shared") / "world", built)


@pytest.fixture
def world(shared: World, tmp_path: Path) -> World:
    """A copy of both people's clones, their origin and their store, to be changed at will."""
    return shared.copy(tmp_path / "world")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of scenarios."""
    from tests.workflow.test_scenarios import TABLE

    if TABLE:
        terminalreporter.section("scenarios: expected and actual jobs")
        widths = [max(len(row[column]) for row in TABLE) for column in range(3)]
        for row in (("change", "expected", "actual", "equal"), *TABLE):
            terminalreporter.write_line(
                " | ".join(text.ljust(width) for text, width in zip(row, [*widths, 5], strict=True))
            )
