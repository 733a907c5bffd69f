"""One tiny study built once, and fresh projects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.project import Project


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
