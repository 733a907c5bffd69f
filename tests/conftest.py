"""Settings of every test process: one thread each, since several run beside each other; what takes minutes first."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the two builds of the tiny study where two processes begin: at the front and in the middle."""
    first = [item for item in items if item.path.name == "test_reproducible.py"]
    workflow = [item for item in items if item.path.parent.name == "workflow" and item not in first]
    unit = [item for item in items if item.path.parent.name != "workflow"]
    front = max(0, len(items) // 2 - len(first))
    items[:] = [*first, *unit[:front], *workflow, *unit[front:]]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of scenarios."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    rows = [value for report in reports for name, value in report.user_properties if name == "scenario"]
    if rows:
        terminalreporter.section("scenarios: expected and actual jobs")
        for row in [("change", "expected", "actual", "verdict"), *sorted(rows)]:
            terminalreporter.write_line(" | ".join(row))
