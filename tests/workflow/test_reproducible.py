"""Two runs from scratch on one machine give the same bytes."""

from __future__ import annotations

import pytest

from tests.workflow.project import Project

FIGURES = ("results/tiny/figures/fig12_validation.png", "results/tiny/figures/fig_young.pdf")


@pytest.mark.timeout(1500)
def test_two_runs_give_the_same_bytes(fresh: Project, request: pytest.FixtureRequest) -> None:
    """Every array, network and table, and two figures; that any figure's bytes repeat is tested where figures are."""
    fresh.build("tables", *FIGURES)
    built: Project = request.getfixturevalue("built")  # by another test process, meanwhile
    first, second = built.artifacts(), fresh.artifacts()
    missing = {file for file in set(first) - set(second) if "/figures/" not in file}
    assert missing == {"results/tiny/report.html"}
    assert second == {file: first[file] for file in second}
