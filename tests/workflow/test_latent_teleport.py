"""Jumps in latent space with a model that the workflow trains in a few steps: tables, figures, and what runs again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.workflow.conftest import once
from tests.workflow.project import Project
from tests.workflow.test_painted_digits import PAINTED

JUMPS: dict[str, Any] = {
    **PAINTED,
    "dataset": {**PAINTED["dataset"], "limit": 1000},
    "gaussians": {"captions": 1},
    "teleport": {
        "known": ["a red digit", "a digit on blue", "a thick digit", "a three"],
        "left_out": ["a digit leaning left", "a one"],
        "samplers": [{"name": "ddim", "steps": 4}],
        "skipped_steps": [2],
        "guidance": [1, 3],
        "gaussians": ["common", "predicted"],
        "seeds": 3,
        "solution": {"seeds": 2, "steps": 3},
        "autoencoder": {"width": 4, "features": 4, "epochs": 1},
        "resamples": 20,
    },
}
TABLE = "results/tiny/tables/latent_teleport.html"
FIGURES = [f"results/tiny/figures/fig_latent_teleport{end}.png" for end in ("", "_left_out")]


def make(folder: Path) -> Project:
    project = Project.make(folder)
    project.write(JUMPS)
    project.build(TABLE, "results/tiny/tables/gaussians.html", *FIGURES)
    return project


@pytest.fixture(scope="module")
def jumps(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study with its table and figures; for reading only."""
    return Project(once(tmp_path_factory, "jumps", lambda folder: make(folder)))


def test_ways_are_compared_at_equal_calls(jumps: Project) -> None:
    table = pd.read_csv(jumps.folder / "results/tiny/latent_teleport.csv")
    assert set(table["group"]) == {"known", "left out"}
    assert set(table["kind"]) == {"plain", "interval", "jump", "guided", "relative"}
    at = table[(table["guidance"] == 3) & (table["skipped_steps"] == 2)].set_index(["group", "kind"])
    calls = at.groupby("kind")["nfe"].unique().map(list).to_dict()
    assert calls == {"plain": [4], "jump": [4], "guided": [4], "relative": [4], "interval": [2 + 4]}
    plain = table[table["kind"] == "plain"]
    assert (plain["agreement_loss"] == 0).all() and (plain["network_loss"].abs() < 1e-9).all()
    assert (table["n"] == table["group"].map({"known": 4 * 3, "left out": 2 * 3})).all()
    assert (jumps.folder / TABLE).read_text().count("<h2>") == 4
    assert all((jumps.folder / file).is_file() for file in FIGURES)


def test_predicted_gaussians_are_compared_by_likelihood(jumps: Project) -> None:
    found = pd.read_csv(jumps.folder / "results/tiny/gaussians/likelihood.csv")
    assert set(found["group"]) == {"known", "left out"} and found["log_likelihood"].notna().all()
    assert set(found.loc[found["group"] == "left out", "gaussian"]) == {"common", "predicted"}


def test_only_what_a_change_concerns_runs_again(jumps: Project) -> None:
    def with_sweep(**changes: Any) -> None:
        jumps.write({**JUMPS, "teleport": {**JUMPS["teleport"], **changes}})

    try:
        assert jumps.planned(TABLE) == {}
        with_sweep(guidance=[1, 3, 5])
        planned = jumps.planned(TABLE)
        assert planned["solve_latents"] == 1 and "estimate_prompt_gaussians" not in planned
        assert planned["sample_latent_teleport"] == 7  # plain, interval, 2 jumps, a guided one, 2 relative samplers
        with_sweep(resamples=30)
        assert set(jumps.planned(TABLE)) == {"measure_latent_teleport", "tabulate_latent_teleport"}
    finally:
        jumps.write(JUMPS)
