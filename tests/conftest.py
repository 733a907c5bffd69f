"""Settings of every test process: one thread each, since several run beside each other; the longest tests first."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes minutes, so that no process waits for another at the end."""

    def rank(item: pytest.Item) -> int:
        folder, file = item.path.parent.name, item.path.name
        return 0 if file == "test_reproducible.py" else 1 if folder == "workflow" else 2

    items.sort(key=rank)
