"""What a study is built for: tables, figures, the report."""

from __future__ import annotations

from underpainting_workflow.studies.files import budget, residual, sweep
from underpainting_workflow.studies.models import Study

FIGURES = (
    "fig01_generation",
    "fig03_theory",
    "fig04a_endpoint",
    "fig04b_samples",
    "fig04c_error",
    "fig04d_models",
    "fig04e_hybrid",
    "fig04f_fidelity",
    "fig10_geometry",
    "fig12_validation",
    "fig15_components",
    "fig16_models",
    "fig17_skipping",
    "fig22_perturbation",
    "fig25_endpoints",
    "fig_eigenbasis",
    "fig_emergence",
    "fig_retrieval",
    "fig_score",
)
TABLES = ("metrics.json", "teleport.csv", "plan.csv", "geometry.csv", "models.csv", "claims.csv", "findings.json")
TABLE_PAGES = ("teleport", "plan", "geometry", "models", "claims")
OF_BUDGETS = ("fig_budget", "fig_budget_skips", "fig_budget_samples")
ACROSS_STUDIES = ("results/table2.csv", "results/table2.html")


def tables(name: str, study: Study) -> list[str]:
    """Tables and metrics."""
    shown = (*TABLE_PAGES, "budget") if budget.swept(study) else TABLE_PAGES
    pages = [f"tables/{page}.html" for page in shown]
    return [f"results/{name}/{file}" for file in (*TABLES, *pages)] + residual.tables(name, study)


def report(name: str, _: Study) -> list[str]:
    """The report."""
    return [f"results/{name}/report.html"]


def figures(name: str, study: Study) -> list[str]:
    """Every figure, as PNG and PDF."""
    trained = ("fig_training",) if study.denoiser.source == "train" else ()
    young = ("fig_young",) if sweep.has_young(study) else ()
    budgets = OF_BUDGETS if budget.swept(study) else ()
    return _drawn(name, *FIGURES, *trained, *young, *budgets) + residual_figures(name, study)


def residual_figures(name: str, study: Study) -> list[str]:
    """The figure of the trainings compared, where there are any."""
    return _drawn(name, "fig_residual") if residual.compared(study) else []


def _drawn(name: str, *figures: str) -> list[str]:
    return [f"results/{name}/figures/{figure}.{kind}" for figure in figures for kind in ("png", "pdf")]
