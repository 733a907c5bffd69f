"""Settings of every test process: one thread each, since several run beside each other; what takes minutes first."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("repeatable", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("repeatable")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Give one worker more than there are cores, since the tests with a cluster and with remotes mostly wait.

    Without those a further worker only costs its imports.
    """
    return (os.cpu_count() or 1) + (config.option.markexpr != "not slow")


SLOW = {
    "provenance/test_commands.py",
    "provenance/test_kill.py",
    "training/test_training.py",
    "training/test_text_to_image.py",
    "plotting/test_figures.py",
}
"""Files of which most tests take a second or more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what runs Snakemake first, as it takes longest, and of that what waits for others most; all of it is slow."""
    workflow = [item for item in items if item.path.parent.name == "workflow"]
    for item in items:
        if item.path.parent.name == "workflow" or "/".join(item.path.parts[-2:]) in SLOW:
            item.add_marker(pytest.mark.slow)
    workflow.sort(key=lambda item: item.path.name != "test_slurm.py")
    items[:] = [*workflow, *(item for item in items if item.path.parent.name != "workflow")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables of scenarios."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    _print_table(terminalreporter, reports, "scenario", "expected and actual jobs", "expected | actual | status")
    _print_table(terminalreporter, reports, "cause", "causes that a comparison names", "causes")


def _print_table(printer: pytest.TerminalReporter, reports: list[Any], key: str, title: str, columns: str) -> None:
    rows = [value for report in reports for name, value in report.user_properties if name == key]
    if rows:
        printer.section(f"scenarios: {title}")
        for row in [("change", columns), *sorted(rows)]:
            printer.write_line(" | ".join(row))
