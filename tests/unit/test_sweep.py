"""The sweep's table: what is chosen out of it, its claims, its pages and its figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from scripts import tabulate_budget, tabulate_teleport
from tests.unit import legible, sweeps
from underpainting import samplers, tables
from underpainting.claims import teleport
from underpainting.claims.claim import PROJECT_TARGET
from underpainting.figures import budget, few_calls, skipping
from underpainting.studies import files, find_studies
from underpainting.studies.models import Study
from underpainting.teleportation import sweep

LOSSES = {0: 0.0, 10: -0.02, 15: 0.03, 20: 0.009, 25: 0.012, 30: 0.5}
BUDGETS = 5, 6, 8, 10, 12, 15, 20
MANY = list(samplers.SAMPLERS)


def labels(solvers: list[str]) -> dict[str, str]:
    return {name: samplers.SAMPLERS[name].label for name in solvers}


def names(solvers: list[str], jumps: dict[str, str] = sweeps.JUMPS) -> budget.Names:
    return budget.Names(labels(solvers), jumps)


def draw_skipping(count: int, losses: dict[int, float]) -> Figure:
    table = pd.concat([sweeps.truncated(f"{name}-50", losses, per_step=2) for name in MANY[:count]])
    return skipping.skipping(
        table, {f"{name}-50": f"{label}, 50 steps" for name, label in labels(MANY[:count]).items()}
    )


def draw_budget(draw: Callable[..., Figure], solvers: list[str], **changes: object) -> Figure:
    return draw(sweeps.regridded(solvers, **{"budgets": BUDGETS, **changes}), names(solvers))  # type: ignore[arg-type]


def draw_few(shape: tuple[int, ...]) -> Figure:
    pictures = list(np.random.default_rng(0).uniform(-1, 1, (7, 16, *shape)))
    return few_calls.few_calls(
        pictures, [f"low rank (16), 70 %\nNFE {row}" for row in range(7)], list(range(16)), "DDIM"
    )


FOUR = ["ddim", "heun", "dpmsolverpp", "unipc"]
FIGURES: dict[str, Callable[[], Figure]] = {
    "skipping": lambda: draw_skipping(1, LOSSES),
    "skipping, three, ruined": lambda: draw_skipping(3, {**LOSSES, 35: 4.0, 45: 60.0}),
    "skipping, five, nothing to compare with": lambda: draw_skipping(5, {10: 0.1, 20: 0.2}),
    "budget": lambda: draw_budget(budget.budget, FOUR),
    "budget, one sampler, one budget, no reference": lambda: draw_budget(
        budget.budget, ["ddim"], budgets=(7,), reference=False
    ),
    "budget, all samplers": lambda: draw_budget(budget.budget, MANY),
    "skips": lambda: draw_budget(budget.skips, FOUR),
    "skips, one sampler, many calls": lambda: draw_budget(budget.skips, ["heun"], budgets=(20,)),
    "few calls, grey": lambda: draw_few((1, 8, 8)),
    "few calls, colour": lambda: draw_few((3, 6, 6)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_legible(name: str) -> None:
    legible.check(FIGURES[name])


@pytest.mark.parametrize(
    ("budgets", "expected"), [((20,), ["NFE 20"]), ((5, 10), ["NFE 5", "NFE 10"]), ((7,), ["NFE 7"])]
)
def test_no_panel_of_skips_stands_twice(budgets: tuple[int, ...], expected: list[str]) -> None:
    """One budget serves as the nearest of both that are shown."""
    figure = draw_budget(budget.skips, ["ddim"], budgets=budgets)
    titles = [axes.get_title(loc="left").split(", ")[-1] for axes in figure.axes if axes.axison]
    assert titles == expected


def test_the_largest_skip_is_one_whose_interval_excludes_a_larger_loss() -> None:
    rows = sweep.truncated(sweeps.truncated("ddim-50", LOSSES), "ddim-50")
    assert sweep.skippable(rows) == (20, 30, pytest.approx(0.4), 500)
    assert sweep.skippable(rows, tolerance=0.03) == (25, 25, pytest.approx(0.5), 500)
    assert sweep.skippable(rows[rows["skip"].isin([0, 15])]) == (0, 50, 0.0, 500)
    assert sweep.skippable(rows[rows["skip"] > 0]) is None


def test_the_share_is_of_calls_not_of_steps() -> None:
    table = sweeps.truncated("heun-50", LOSSES, per_step=2).assign(nfe=lambda rows: rows["nfe"] - 1)
    found = sweep.skippable(sweep.truncated(table, "heun-50"))
    assert found is not None
    assert found.share == pytest.approx(40 / 99)


def test_the_reference_is_no_run_at_few_calls() -> None:
    table = sweeps.regridded(["ddim", "heun"], BUDGETS)
    assert sweep.references(table)["sampler"].tolist() == ["ddim-50", "heun-50"]
    assert sweep.few_calls(table)["nfe"].max() == 20
    assert sweep.references(sweeps.regridded(["ddim"], BUDGETS, reference=False)).empty


def test_the_best_skip_has_the_least_distance() -> None:
    best = sweep.best(sweep.few_calls(sweeps.regridded(["ddim", "heun"], BUDGETS)))
    assert len(best) == (7 + 6) * len(sweeps.JUMPS)
    assert {jump: set(rows["skip"]) for jump, rows in best.groupby("jump")} == {
        jump: {sweeps.SKIPS.get(jump, (0,))[-1]} for jump in sweeps.JUMPS
    }


def test_a_budget_pays_for_the_most_calls_below_it() -> None:
    best = sweep.best(sweep.few_calls(sweeps.regridded(["ddim", "heun"], BUDGETS)))
    assert sweep.within(best, 10).groupby("solver")["nfe"].unique().map(list).to_dict() == {"ddim": [10], "heun": [9]}
    assert sweep.within(best, 4).empty


def test_nothing_is_below_the_front_with_as_few_calls() -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"nfe": random.integers(5, 20, 200), "fd": random.uniform(0.5, 3, 200)})
    front = sweep.pareto(rows)
    beaten = [((rows["nfe"] <= calls) & (rows["fd"] < fd)).any() for calls, fd in front[["nfe", "fd"]].to_numpy()]
    assert not any(beaten)
    assert front["fd"].is_monotonic_decreasing
    others = rows.drop(front.index)
    assert all(((front["nfe"] <= calls) & (front["fd"] <= fd)).any() for calls, fd in others[["nfe", "fd"]].to_numpy())


def test_project_targets_hold_and_fail() -> None:
    table = pd.concat([sweeps.truncated("ddim-50", LOSSES), sweeps.regridded(["ddim"], BUDGETS)])
    skipped, beats, mixture = (
        claim for claim in teleport.claims(table, "other-9", 9) if claim.source == PROJECT_TARGET
    )
    assert (skipped.reproduced, skipped.estimate) == ("yes", pytest.approx(0.4))
    assert (beats.reproduced, beats.estimate, beats.high) == ("yes", pytest.approx(-0.4), pytest.approx(-0.37))
    assert (mixture.reproduced, mixture.estimate) == ("no", pytest.approx(1.2))
    wide = table["loss_high"] + 0.45 * (table["jump"] != "none")
    worse = table.assign(loss_high=wide, behind=0.0, behind_low=-0.04, behind_high=0.04)
    skipped, beats, *rest = (claim for claim in teleport.claims(worse, "other-9", 9) if claim.source == PROJECT_TARGET)
    assert (skipped.reproduced, beats.reproduced) == ("no", "undecided")
    assert [claim.reproduced for claim in rest] == ["yes"]


def test_one_number_of_calls_without_a_winner_undoes_the_claim() -> None:
    table = sweeps.regridded(["ddim"], BUDGETS)
    lost = table["loss"].where((table["nfe"] != 8) | (table["jump"] == "none"), 0.2)
    spoilt = table.assign(loss=lost, loss_low=lost - 0.01, loss_high=lost + 0.01)
    claim = next(claim for claim in teleport.claims(spoilt, "other-9", 9) if "best jump against none" in claim.claim)
    assert (claim.reproduced, claim.estimate) == ("no", pytest.approx(0.2))


def test_without_few_calls_or_a_reference_there_are_no_claims_about_them() -> None:
    assert len(teleport.claims(sweeps.truncated("ddim-50", LOSSES), "other-9", 9)) == 1
    alone = sweeps.regridded(["ddim"], BUDGETS, reference=False)
    assert [claim.claim.split(":")[0] for claim in teleport.claims(alone, "other-9", 9)] == ["DDIM"]


def test_the_page_of_the_sweep_has_the_papers_columns() -> None:
    table = sweeps.truncated("ddim-50", LOSSES)
    part = tabulate_teleport.part(table, "ddim-50", "DDIM, 50 steps", "FD")
    assert list(part.table.columns[:4]) == ["Nskip", "NFE", "Noise scale", "FD"]
    assert part.note == "Largest skip whose interval excludes a loss above 2 %: 20 steps, 40% of the network calls."
    assert part.table["Its 95 % interval"].tolist()[1] == "-3.0% to -1.0%"


def test_a_cell_says_where_the_jump_landed_and_what_it_took() -> None:
    best = sweep.best(sweep.few_calls(sweeps.regridded(["heun"], BUDGETS)))
    config = {"nfe": [5, 10], "solvers": labels(["heun"]), "jumps": sweeps.JUMPS}
    cells = tabulate_budget.line(best[best["jump"] == "mixture"], best[:0], config)
    assert cells == {
        "NFE 5": "1.200 (80 %)\n1.164 to 1.236",
        "NFE 10": "0.667 (80 %, NFE 9)\n0.647 to 0.687",
        "Plain, many calls": "",
    }


def test_pages_of_several_tables_keep_line_breaks_and_leave_out_what_is_not_known() -> None:
    table = pd.DataFrame({"a": ["1\n2 < 3"], "b": [np.nan], "c": [0.5]})
    page = tables.pages([tables.Part("First & last", "", table, {"b": "{:.1f}", "c": "{:.0%}"})], "Title", "Note")
    assert "<td>1\n2 &lt; 3</td>" in page
    assert "<td></td>" in page
    assert "<td>50%</td>" in page
    assert "<h2>First &amp; last</h2><table" in page


def shipped(name: str) -> Study:
    return find_studies([name], "config/studies", "config/config.yaml", data="data")[name]


def test_budget_figures_and_page_are_there_with_a_budget_only() -> None:
    with_budget, without = shipped("digits"), shipped("faces")
    made = {
        file
        for study in (with_budget, without)
        for file in (*files.products.figures("x", study), *files.products.tables("x", study))
    }
    of_budgets = {file for file in made if "budget" in file}
    assert len(of_budgets) == 2 * len(files.products.OF_BUDGETS) + 1
    assert of_budgets <= {*files.products.figures("x", with_budget), *files.products.tables("x", with_budget)}
    assert not of_budgets & {*files.products.figures("x", without), *files.products.tables("x", without)}


def test_images_shown_are_of_five_and_ten_calls_and_of_the_plain_run() -> None:
    shown = files.budget.shown(shipped("digits"))
    assert shown == [
        [5, "none"],
        [5, "gaussian"],
        [5, "mixture"],
        [10, "none"],
        [10, "gaussian"],
        [10, "mixture"],
        [50, "none"],
    ]
    assert files.budget.pictures("x", shipped("digits"))[1] == "results/x/budget/ddim-5/gaussian/seeds_0-500.zarr.zip"
