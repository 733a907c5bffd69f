"""Snakemake's scheduler without its default limit."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from snakemake.cli import get_argument_parser
from snakemake.settings.types import MaxJobsPerTimespan, SchedulingSettings

from underpainting_workflow.scheduling import lift_default_limit


def limit_after(*arguments: str) -> MaxJobsPerTimespan | None:
    """The limit of a command line, after the default has been lifted."""
    chosen = get_argument_parser().parse_args([*arguments, "--cores", "1"]).max_jobs_per_timespan
    workflow = SimpleNamespace(execute=lambda: None, scheduling_settings=None)
    lift_default_limit(workflow)
    workflow.scheduling_settings = SchedulingSettings(max_jobs_per_timespan=chosen)
    workflow.execute()
    return workflow.scheduling_settings.max_jobs_per_timespan


def test_the_default_limit_is_lifted() -> None:
    assert limit_after() is None


@pytest.mark.parametrize(("text", "jobs", "seconds"), [("50/1s", 50, 1), ("100/1m", 100, 60)])
def test_a_limit_of_the_user_stays(text: str, jobs: int, seconds: int) -> None:
    limit = limit_after("--max-jobs-per-timespan", text)
    assert limit is not None
    assert (limit.max_jobs, limit.timespan) == (jobs, seconds)
