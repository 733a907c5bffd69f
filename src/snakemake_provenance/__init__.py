"""Exact re-execution and sharing of results for Snakemake workflows.

A result is fresh if its bytes are those that a job made, from the bytes that its inputs hold now, with the code, parameters and
package versions of now. Every job records its part (`job_records`); a job record with Snakemake's own record is a fact (`facts`),
kept here in a ledger and, for all who share the project, in manifests in git. Before a run, what is on disk is checked
against the facts (`freshness`) and Snakemake's records are set right (`restoring`), so that Snakemake decides as if every
result had been made here. README.md shows how to use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snakemake_provenance.settings import Settings

__all__ = ["Settings", "track"]


def track(
    workflow: Any, settings: Settings | None = None, files_of_code: dict[str, Mapping[str, str]] | None = None
) -> None:
    """Attach provenance to a workflow. To be called in the Snakefile.

    Args:
        workflow: Snakemake's object of that name.
        settings: those of the file `snakemake-provenance.toml`, if none are given.
        files_of_code: digests by file, by a digest of all, where rules carry digests of their own; for messages.
    """
    from snakemake_provenance.tracking import Tracker  # needs Snakemake, which jobs can do without

    Tracker(workflow, settings or Settings.read(), {} if files_of_code is None else files_of_code).attach()
