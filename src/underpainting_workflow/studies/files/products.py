"""Final files of a study: tables, figures, the report."""

from __future__ import annotations

from underpainting_workflow.studies.files import low_nfe, residual
from underpainting_workflow.studies.models import Study

TABLES = ("metrics.json", "teleport.csv", "plan.csv", "geometry.csv", "models.csv", "claims.csv", "findings.json")
TABLE_PAGES = ("teleport", "plan", "geometry", "models", "claims")
ACROSS_STUDIES = ("results/table2.csv", "results/table2.html")


def tables(name: str, study: Study) -> list[str]:
    """Return the tables and metrics."""
    shown = (*TABLE_PAGES, "low_nfe") if low_nfe.swept(study) else TABLE_PAGES
    pages = [f"tables/{page}.html" for page in shown]
    return [f"results/{name}/{file}" for file in (*TABLES, *pages)] + residual.tables(name, study)


def report(name: str, _: Study) -> list[str]:
    """Return the report and the page."""
    return [f"results/{name}/{file}.html" for file in ("report", "index")]
