"""The example, pushed by one person and pulled by another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from tests.provenance.toy import World


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two clones with the results of the example, made once for all test processes; for reading only."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "example"
    with FileLock(f"{folder}.lock"):
        return World(folder) if folder.exists() else World.make(folder)


@pytest.fixture
def world(shared: World, tmp_path: Path) -> World:
    """A copy of both clones, their origin and their store, to be changed at will."""
    return shared.copy(tmp_path / "world")
