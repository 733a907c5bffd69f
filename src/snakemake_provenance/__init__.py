"""Exact re-execution and sharing of results for Snakemake workflows.

A result is fresh if its bytes are those that a job made, from the bytes that its inputs hold now, with the code,
parameters and package versions of now. Every job records the bytes that it read and wrote (`job_records`); a job record
joined with Snakemake's record is a fact (`facts`), kept in the ledger of this clone and, for all who share the project,
in manifests in git. Before a run, the files on disk are checked against the facts (`freshness`) and Snakemake's records
are corrected (`restoring`), so that Snakemake decides as if every result had been made here. README.md shows how to use
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snakemake_provenance.settings import Settings

__all__ = ["Settings", "track"]


def track(
    workflow: Any, settings: Settings | None = None, files_of_code: dict[str, Mapping[str, str]] | None = None
) -> None:
    """Attach provenance to a workflow; to be called in the Snakefile.

    Args:
        workflow: Snakemake's object of that name.
        settings: those of the file `snakemake-provenance.toml`, if none are given.
        files_of_code: digests by file, by the combined digest, where rules carry digests themselves; for messages.
    """
    from snakemake_provenance.tracking import Tracker  # needs Snakemake, which jobs can do without

    Tracker(workflow, settings or Settings.read(), {} if files_of_code is None else files_of_code).attach()
