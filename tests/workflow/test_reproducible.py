"""Two runs from scratch on one machine give the same bytes."""

from __future__ import annotations

from tests.workflow.project import Project


def test_two_runs_give_the_same_bytes(built: Project, fresh: Project) -> None:
    """All but the report, which shows when each job ran and how long it took."""
    fresh.build("tables", "figures")
    first = built.artifacts()
    del first["results/report.html"]
    assert fresh.artifacts() == first
