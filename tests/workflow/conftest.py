"""One tiny study built once, and fresh projects."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.workflow.project import Project
from tests.workflow.world import World


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first of all test processes makes and the others read."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with FileLock(root / f"{name}.lock"):
        if not (root / f"{name}.done").exists():
            shutil.rmtree(root / name, ignore_errors=True)  # what a killed process left
            make(root / name)
            (root / f"{name}.done").touch()
    return root / name


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study, built to its report through Snakemake; for reading only."""
    return Project(once(tmp_path_factory, "built", lambda folder: Project.make(folder).build("all")))


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
    return World(once(tmp_path_factory, "shared", lambda folder: World.make(folder, built)))


@pytest.fixture
def world(shared: World, tmp_path: Path) -> World:
    """A copy of both people's clones, their origin and their store, to be changed at will."""
    return shared.copy(tmp_path / "world")
