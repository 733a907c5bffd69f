"""Change settings of Snakemake's scheduler."""

from __future__ import annotations

from typing import Any

DEFAULT_JOBS, DEFAULT_SECONDS = 100, 1


def lift_default_limit(workflow: Any) -> None:
    """Remove Snakemake's limit of 100 jobs a second, unless the user has chosen another.

    With a limit, each end of a job starts a chain of timers that look for jobs once a second, until all jobs have
    begun. In a run of some hundred jobs they keep a processor busy: a third of one over 105 minutes, measured with
    Snakemake 9.27.

    Args:
        workflow: Snakemake's, while it reads the Snakefile; its settings come later.
    """
    execute = workflow.execute

    def execute_without_limit(*args: Any, **kwargs: Any) -> Any:
        settings = workflow.scheduling_settings
        limit = settings.max_jobs_per_timespan
        if limit is not None and (limit.max_jobs, limit.timespan) == (DEFAULT_JOBS, DEFAULT_SECONDS):
            settings.max_jobs_per_timespan = None
        return execute(*args, **kwargs)

    workflow.execute = execute_without_limit
