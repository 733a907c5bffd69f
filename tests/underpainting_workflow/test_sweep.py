"""The sweep's table: what is chosen out of it, its claims, its pages and its figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from scripts import tabulate_low_nfe, tabulate_teleport
from tests.helpers import legible, sweeps
from underpainting.io import artifacts
from underpainting.plotting import few_calls, low_nfe, skipping
from underpainting.plotting.quality_by_calls import quality_by_calls, quality_of_studies
from underpainting.samplers import registry
from underpainting.teleport import sweep
from underpainting_workflow import figures, tables
from underpainting_workflow.claims import teleport
from underpainting_workflow.claims.claim import PROJECT_TARGET, Claim
from underpainting_workflow.studies import files, find_studies
from underpainting_workflow.studies.models import Study

LOSSES = {0: 0.0, 10: -0.02, 15: 0.03, 20: 0.009, 25: 0.012, 30: 0.5}
NFE = 5, 6, 8, 10, 12, 15, 20
MANY = list(registry.SAMPLERS)
ENDS = "", "_low", "_high"


def labels(samplers: list[str]) -> dict[str, str]:
    return {name: registry.SAMPLERS[name].label for name in samplers}


def names(samplers: list[str], jumps: dict[str, str] = sweeps.JUMPS) -> low_nfe.Names:
    return low_nfe.Names(labels(samplers), jumps)


def draw_skipping(count: int, losses: dict[int, float]) -> Figure:
    table = pd.concat([sweeps.truncated(f"{name}-50", losses, per_step=2) for name in MANY[:count]])
    return skipping.skipping(
        table, {f"{name}-50": f"{label}, 50 steps" for name, label in labels(MANY[:count]).items()}
    )


def draw_low_nfe(draw: Callable[..., Figure], samplers: list[str], **changes: object) -> Figure:
    return draw(sweeps.regridded(samplers, **{"nfe": NFE, **changes}), names(samplers))  # type: ignore[arg-type]


def draw_few(shape: tuple[int, ...]) -> Figure:
    pictures = list(np.random.default_rng(0).uniform(-1, 1, (7, 16, *shape)))
    return few_calls.few_calls(
        pictures, [f"low rank (16), 70 %\nNFE {row}" for row in range(7)], list(range(16)), "DDIM"
    )


def draw_by_calls(samplers: list[str]) -> Figure:
    return quality_by_calls(sweeps.regridded(samplers, NFE), labels(samplers))


FOUR = ["ddim", "heun", "dpmsolverpp", "unipc"]
FIGURES: dict[str, Callable[[], Figure]] = {
    "skipping": lambda: draw_skipping(1, LOSSES),
    "skipping, stochastic": lambda: skipping.skipping(
        sweeps.truncated("ddpm-50", LOSSES, network={}), {"ddpm-50": "DDPM, 50 steps"}
    ),
    "skipping, measures that differ": lambda: skipping.skipping(
        sweeps.truncated("ddim-50", LOSSES, network={steps: 10 * abs(loss) for steps, loss in LOSSES.items()}),
        {"ddim-50": "DDIM, 50 steps"},
    ),
    "skipping, three, ruined": lambda: draw_skipping(3, {**LOSSES, 35: 4.0, 45: 60.0}),
    "skipping, five, nothing to compare with": lambda: draw_skipping(5, {10: 0.1, 20: 0.2}),
    "low_nfe": lambda: draw_low_nfe(low_nfe.low_nfe, FOUR),
    "low_nfe, one sampler, one low_nfe, no reference": lambda: draw_low_nfe(
        low_nfe.low_nfe, ["ddim"], nfe=(7,), reference=False
    ),
    "low_nfe, no null model": lambda: draw_low_nfe(low_nfe.low_nfe, FOUR, jumps=["none", "gaussian", "mixture"]),
    "low_nfe, all samplers": lambda: draw_low_nfe(low_nfe.low_nfe, MANY),
    "skipped time": lambda: draw_low_nfe(low_nfe.skipped_percent, FOUR),
    "skipped time, all samplers": lambda: draw_low_nfe(low_nfe.skipped_percent, MANY),
    "skipped time, one sampler, many calls": lambda: draw_low_nfe(low_nfe.skipped_percent, ["heun"], nfe=(20,)),
    "quality by calls": lambda: draw_by_calls([*FOUR, "relative"]),
    "quality by calls, one other": lambda: draw_by_calls(["ddpm", "relative"]),
    "quality of six studies": lambda: quality_of_studies(
        {f"digits_{number}": sweeps.regridded([*FOUR, "relative"], NFE) for number in range(6)}, labels(MANY)
    ),
    "quality of one study": lambda: quality_of_studies(
        {"digits": sweeps.regridded([*FOUR, "relative"], NFE)}, labels(MANY)
    ),
    "few calls, grey": lambda: draw_few((1, 8, 8)),
    "few calls, colour": lambda: draw_few((3, 6, 6)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_legible(name: str) -> None:
    legible.check(FIGURES[name])


@pytest.mark.parametrize(("nfe", "expected"), [((20,), ["NFE 20"]), ((5, 10), ["NFE 5", "NFE 10"]), ((7,), ["NFE 7"])])
def test_no_panel_of_skipped_time_stands_twice(nfe: tuple[int, ...], expected: list[str]) -> None:
    """One low_nfe serves as the nearest of both that are shown."""
    figure = draw_low_nfe(low_nfe.skipped_percent, ["ddim"], nfe=nfe)
    titles = [axes.get_title(loc="left").split(", ")[-1] for axes in figure.axes if axes.axison]
    assert titles == expected


def test_of_many_samplers_ddim_and_the_best_have_a_panel_and_the_last_shows_all() -> None:
    worst, *others = ["ddim", "heun", "euler", "dpmsolverpp", "unipc", "lms", "deis", "deis3", "ipndm", "relative"]
    table = sweeps.regridded([worst, *others], NFE)
    for place, name in enumerate([*others, worst]):
        own = table["sampler"].str.startswith(f"{name}-")
        table.loc[own, [f"fd_infinite{end}" for end in ENDS]] *= 1 + place
    figure = low_nfe.low_nfe(table, names([worst, *others]))
    titles = [axes.get_title(loc="left").split("  ")[-1] for axes in figure.axes if axes.axison]
    assert titles == [*labels([worst, *others[:7]]).values(), "All samplers"]
    dots = next(line for line in figure.axes[-1].lines if line.get_marker() == ".")
    unseen = table["sampler"].str.startswith(("ipndm-", "relative-")) & (table["nfe"] < 50)
    assert set(np.asarray(dots.get_xdata())) == set(table.loc[unseen, "nfe"])


def test_the_skippable_steps_are_those_up_to_which_all_lose_little() -> None:
    """That of 20 loses little as well, but that of 15 does not: taking it would be taking the luckiest of many."""
    rows = sweep.truncated(sweeps.truncated("ddim-50", LOSSES), "ddim-50")
    share = pytest.approx
    assert sweep.skippable(rows) == (10, 10, 25, 40, share(0.2), share(0.2), share(0.5), 500)
    assert sweep.skippable(rows, tolerance=0.03) == (25, 10, 25, 25, share(0.5), share(0.2), share(0.5), 500)
    assert sweep.skippable(rows[rows["skipped_steps"].isin([0, 30])]) == (0, 0, 0, 50, 0, 0, 0, 500)
    assert sweep.skippable(rows[rows["skipped_steps"] > 0]) is None


def test_rows_may_come_in_any_order() -> None:
    rows = sweep.truncated(sweeps.truncated("ddim-50", LOSSES), "ddim-50")
    assert sweep.skippable(rows.sample(frac=1, random_state=3)) == sweep.skippable(rows)


@given(st.lists(st.tuples(*[st.floats(-0.1, 0.1)] * 3, *[st.floats(0, 0.05)] * 2), min_size=1, max_size=8))
def test_all_jumps_up_to_the_longest_lose_little_and_the_next_does_not(drawn: list[tuple[float, ...]]) -> None:
    places = np.arange(1, len(drawn) + 1)
    rows = pd.DataFrame({"skipped_steps": [0, *places], "nfe": 20 - 2 * np.array([0, *places]), "n": 100})
    for number, name in enumerate(sweep.LOSSES):
        values = np.array([0.0, *(one[number] for one in drawn)])
        rows[name] = values
        rows[f"{name}_low"] = values - np.array([0.0, *(one[3] for one in drawn)])
        rows[f"{name}_high"] = values + np.array([0.0, *(one[4] for one in drawn)])
    found = sweep.skippable(rows)
    assert found is not None
    for skipped, end in ((found.skipped_steps, ""), (found.low, "_high"), (found.high, "_low")):
        worst = rows[[f"{name}{end}" for name in sweep.LOSSES]].max(axis=1)
        assert (worst[rows["skipped_steps"] <= skipped] <= sweep.TOLERANCE).all()
        assert skipped == len(drawn) or worst[skipped + 1] > sweep.TOLERANCE
    assert found.low <= found.skipped_steps <= found.high
    assert found.nfe == 20 - 2 * found.skipped_steps and found.share == pytest.approx(found.skipped_steps / 10)
    assert (found.share_low, found.share_high) == (pytest.approx(found.low / 10), pytest.approx(found.high / 10))


def test_the_worst_of_all_measures_decides() -> None:
    losses = {0: 0.0, 10: 0.001, 20: 0.002, 30: 0.003}
    rows = sweep.truncated(sweeps.truncated("ddim-50", losses, network={**losses, 20: 0.4}), "ddim-50")
    chosen = {name: sweep.skippable(rows, [name]) for name in sweep.LOSSES}
    assert [one.skipped_steps for one in chosen.values() if one] == [30, 30, 10]
    found = sweep.skippable(rows)
    assert found is not None and found.skipped_steps == 10


def test_a_measure_that_a_sampler_has_not_is_left_out_but_one_that_a_jump_lacks_is_not() -> None:
    losses = {0: 0.0, 10: 0.001, 20: 0.002}
    stochastic = sweep.truncated(sweeps.truncated("ddpm-50", losses, network={}), "ddpm-50")
    found = sweep.skippable(stochastic)
    assert found is not None and found.skipped_steps == 20
    assert sweep.skippable(stochastic, ["network_loss"]) is None
    gap = sweep.skippable(sweep.truncated(sweeps.truncated("ddim-50", losses, network={0: 0.0, 20: 0.0}), "ddim-50"))
    assert gap is not None and gap.skipped_steps == 0, "what was not measured may have lost anything"


def test_the_null_model_has_its_own_rows() -> None:
    table = sweeps.truncated("ddim-50", {0: 0.0, 10: 0.0, 20: 0.0}, null={10: 0.01, 20: 0.5})
    found = [sweep.skippable(sweep.truncated(table, "ddim-50", jump)) for jump in ("gaussian", sweep.NULL)]
    assert [one.skipped_steps for one in found if one] == [20, 10]
    assert sweep.truncated(table, "ddim-50")["jump"].tolist() == ["none", "gaussian", "gaussian"]


def test_distances_count_at_infinitely_many_images_and_not_below_the_floor() -> None:
    rows = pd.DataFrame([sweeps.row(fd) for fd in (0.01, 0.3)])
    assert sweep.judged(rows).tolist() == [sweeps.FLOOR, 0.3]
    scale = sweeps.AUTOENCODER
    assert sweep.judged(rows, "autoencoder_").tolist() == pytest.approx([scale * sweeps.FLOOR, scale * 0.3])
    assert (rows["fd"] > sweep.judged(rows)).all()


def test_the_share_is_of_calls_not_of_steps() -> None:
    table = sweeps.truncated("heun-50", LOSSES, per_step=2).assign(nfe=lambda rows: rows["nfe"] - 1)
    found = sweep.skippable(sweep.truncated(table, "heun-50"))
    assert found is not None
    assert (found.share, found.share_high) == (pytest.approx(20 / 99), pytest.approx(50 / 99))


def test_the_reference_is_no_run_at_few_calls() -> None:
    table = sweeps.regridded(["ddim", "heun"], NFE)
    assert sweep.references(table)["sampler"].tolist() == ["ddim-50", "heun-50"]
    assert sweep.regridded(table)["nfe"].max() == 20
    assert sweep.references(sweeps.regridded(["ddim"], NFE, reference=False)).empty


def test_the_best_jump_has_the_least_distance() -> None:
    best = sweep.best(sweep.regridded(sweeps.regridded(["ddim", "heun"], NFE)))
    assert len(best) == (7 + 6) * len(sweeps.JUMPS)
    assert {jump: set(rows["skipped_percent"]) for jump, rows in best.groupby("jump")} == {
        jump: {sweeps.PERCENTS.get(jump, (0,))[-1]} for jump in sweeps.JUMPS
    }


def on_grids(table: pd.DataFrame, factors: dict[str, dict[int, float]]) -> pd.DataFrame:
    """The same rows on several grids: distances multiplied by factors, by grid and number of calls."""
    parts = [
        table.assign(grid=grid, fd_infinite=table["fd_infinite"] * table["nfe"].map(by_calls))
        for grid, by_calls in factors.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_of_several_grids_the_best_counts_at_each_number_of_calls() -> None:
    table = on_grids(
        sweeps.regridded(["ddim"], [5, 10], reference=False), {"time": {5: 1.0, 10: 1.0}, "karras": {5: 0.9, 10: 1.1}}
    )
    rows = sweep.regridded(table)
    expected = {5: "karras", 10: "time"}
    for chosen in (sweep.best(rows), sweep.winners(rows), sweep.best(rows, low_nfe.EACH_JUMP)):
        assert chosen["grid"].tolist() == [expected[calls] for calls in chosen["nfe"]]
    assert len(sweep.best(rows)) == 2 * len(sweeps.JUMPS)
    assert len(sweep.best(rows, low_nfe.EACH_JUMP)) == len(rows) / 2
    figure = low_nfe.skipped_percent(table, names(["ddim"]))
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert all(len(set(line.get_xdata())) == len(line.get_xdata()) for line in lines), "one point for each jump"


def test_a_low_nfe_pays_for_the_most_calls_below_it() -> None:
    best = sweep.best(sweep.regridded(sweeps.regridded(["ddim", "heun"], NFE)))
    assert sweep.within(best, 10).groupby("sampler_name")["nfe"].unique().map(list).to_dict() == {
        "ddim": [10],
        "heun": [9],
    }
    assert sweep.within(best, 4).empty


def test_nothing_is_below_the_front_with_as_few_calls() -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"nfe": random.integers(5, 20, 200), "fd": random.uniform(0.5, 3, 200)})
    front = sweep.pareto(rows.assign(fd_infinite=rows["fd"], floor_infinite=0.1))
    beaten = [((rows["nfe"] <= calls) & (rows["fd"] < fd)).any() for calls, fd in front[["nfe", "fd"]].to_numpy()]
    assert not any(beaten)
    assert front["fd"].is_monotonic_decreasing
    others = rows.drop(front.index)
    assert all(((front["nfe"] <= calls) & (front["fd"] <= fd)).any() for calls, fd in others[["nfe", "fd"]].to_numpy())


def test_of_two_at_the_floor_that_with_fewer_calls_is_on_the_front() -> None:
    rows = pd.DataFrame({"nfe": [5, 8, 20], "fd_infinite": [0.9, 0.04, 0.01], "floor_infinite": 0.05})
    assert sweep.pareto(rows)["nfe"].tolist() == [5, 8]


def test_the_best_of_two_at_the_floor_is_the_first() -> None:
    rows = pd.DataFrame({"sampler_name": "ddim", "jump": "gaussian", "nfe": 5, "skipped_percent": [40, 60, 80]})
    rows = rows.assign(fd_infinite=[0.9, 0.04, 0.01], floor_infinite=0.05)
    assert sweep.best(rows)["skipped_percent"].tolist() == [60]
    assert sweep.winners(rows)["skipped_percent"].tolist() == [60]


@pytest.mark.parametrize("few", [sweep.best, sweep.winners, sweep.pareto])
def test_nothing_is_chosen_from_nothing(few: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert few(sweep.regridded(sweeps.regridded(["ddim"], NFE, jumps=["none"]))).empty


def targets(table: pd.DataFrame) -> list[Claim]:
    return [claim for claim in teleport.claims(table, "other-9", 9) if claim.source == PROJECT_TARGET]


def test_project_targets_hold_and_fail() -> None:
    losses = {0: 0.0, 10: -0.02, 20: 0.009, 25: 0.0, 30: 0.5}
    table = pd.concat([sweeps.truncated("ddim-50", losses), sweeps.regridded(["ddim"], NFE)])
    found = targets(table)
    assert [claim.reproduced for claim in found] == ["yes"] * 5 + ["no"] * 2
    saved, every, first, autoencoder, network, mixture, in_codes = found
    assert "at most 2 % more FD (classifier)" in saved.claim and "of every measure" in every.claim
    assert (saved.estimate, saved.low, saved.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (saved.null, saved.null_high) == (0, 0) and saved.null_model == teleport.NULL_MODEL
    for claim in (first, autoencoder, network):
        assert (claim.estimate, claim.high) == (pytest.approx(-0.4), pytest.approx(-0.37))
        assert (claim.null, claim.null_low) == (pytest.approx(0.5), pytest.approx(0.47))
    assert (mixture.estimate, in_codes.estimate, mixture.null) == pytest.approx((1.2, 1.2, 3.0))
    assert "FD (autoencoder)" in autoencoder.claim and "FD (autoencoder)" in in_codes.claim
    wide = table["loss_high"] + 0.45 * (table["jump"] != "none")
    worse = table.assign(loss_high=wide, behind=0.0, behind_low=-0.04, behind_high=0.04)
    saved, every, first, autoencoder, network, mixture, in_codes = targets(worse)
    assert (saved.reproduced, first.reproduced, autoencoder.reproduced) == ("undecided", "undecided", "yes")
    assert every.reproduced == "undecided"
    assert (mixture.reproduced, in_codes.reproduced) == ("trivial", "no"), "behind is the null model's, too"


def test_one_number_of_calls_without_a_winner_undoes_the_claim() -> None:
    table = sweeps.regridded(["ddim"], NFE)
    lost = table["loss"].where((table["nfe"] != 8) | (table["jump"] == "none"), 0.2)
    spoilt = table.assign(loss=lost, loss_low=lost - 0.01, loss_high=lost + 0.01)
    claim = next(claim for claim in targets(spoilt) if "relative change of FD (classifier)" in claim.claim)
    assert (claim.reproduced, claim.estimate) == ("no", pytest.approx(0.2))


def test_a_claim_that_the_null_model_shares_is_trivial() -> None:
    losses = {0: 0.0, 10: 0.0, 25: 0.0, 30: 0.5}
    assert {claim.reproduced for claim in targets(sweeps.truncated("ddim-50", losses, null=losses))} == {"trivial"}
    few = sweeps.regridded(["ddim"], NFE)
    null = (few["jump"] == sweep.NULL) & (few["nfe"] <= 20)
    changes = {f"{name}{end}": few[f"{name}{end}"].where(~null, -0.2) for name in sweep.LOSSES for end in ENDS}
    shared = [claim for claim in targets(few.assign(**changes)) if "relative change of" in claim.claim]
    assert [claim.reproduced for claim in shared] == ["trivial"] * 3


def test_a_claim_is_undecided_where_the_null_model_may_do_as_well() -> None:
    """Nobody knows whether a jump over 10 steps loses more than 2 %; if not, it saves as much."""
    losses = {0: 0.0, 10: 0.0, 25: 0.0, 30: 0.5}
    found = targets(sweeps.truncated("ddim-50", losses, null={10: 0.025, 25: 0.015, 30: 0.5}))
    assert [(claim.reproduced, claim.null, claim.null_high) for claim in found] == [("undecided", 0.0, 0.5)] * 2
    without = targets(sweeps.truncated("ddim-50", losses, null={10: 0.031, 25: 0.015, 30: 0.5}))
    assert {claim.reproduced for claim in without} == {"yes"}


def test_without_rows_of_the_null_model_no_claim_holds() -> None:
    few = sweeps.regridded(["ddim"], NFE, jumps=["none", "gaussian", "mixture"])
    assert [(claim.reproduced, claim.null_model) for claim in targets(few)] == [("undecided", "")] * 3 + [
        ("no", "")
    ] * 2


def test_without_few_calls_or_a_reference_there_are_no_claims_about_them() -> None:
    assert len(teleport.claims(sweeps.truncated("ddim-50", LOSSES), "other-9", 9)) == 2
    alone = teleport.claims(sweeps.regridded(["ddim"], NFE, reference=False), "other-9", 9)
    assert [claim.claim.split(":")[0] for claim in alone] == ["DDIM"] * 3
    stochastic = teleport.claims(sweeps.regridded(["ddpm"], NFE, reference=False), "other-9", 9)
    assert not [claim for claim in stochastic if "own images" in claim.claim] and len(stochastic) == 2


def test_the_page_of_the_sweep_has_the_papers_columns() -> None:
    table = sweeps.truncated("ddim-50", LOSSES)
    part = tabulate_teleport.part(table, "ddim-50", "DDIM, 50 steps", "classifier")
    distance = "FD (classifier)"
    assert list(part.table.columns[:5]) == [
        "Skipped steps",
        "NFE",
        "Noise scale",
        distance,
        f"{distance}, n to infinity",
    ]
    each = "10 (10 to 25), 20% of the network calls"
    measures = [distance, "FD (autoencoder)", "difference from the network's own images", "all of them"]
    assert part.note == (
        "Steps that can be skipped, with all shorter jumps, for at most 2 % more: "
        + "; ".join(f"by {name} {each}" for name in measures)
        + "."
    )
    assert part.table["Loss"].tolist()[1] == "-2.0%\n-3.0% to -1.0%"
    assert part.table["RMSE of the jump"].tolist()[0] == ""
    null = tabulate_teleport.part(table, "ddim-50", "the null model", "classifier", sweep.NULL)
    assert null.table["Loss"].tolist()[1] == "+300.0%\n+299.0% to +301.0%"
    alone = sweeps.truncated("ddim-50", {10: 0.1})
    assert "there is no reference" in tabulate_teleport.part(alone, "ddim-50", "x", "classifier").note


def test_rows_are_gathered_with_the_bias_of_their_jumps(tmp_path: Path) -> None:
    errors = np.array([[0.01, 0.01, 0.01], [0.04, 0.04, np.nan], [0.09, np.nan, np.nan]])
    names = {
        "sampler": ["ddim-50", "", ""],
        "jump": ["gaussian", "gaussian", "mixture"],
        "skipped_steps": [10, 0, 0],
        "skipped_percent": [0, 60, 60],
    }
    data = xr.Dataset(
        {
            "squared_error": artifacts.array(errors, ("start", "sample"), "error", missing="seeds that were not swept"),
            **{name: artifacts.array(np.array(values), "start", name) for name, values in names.items()},
        }
    )
    artifacts.save(data, tmp_path / "jumps.zarr.zip", {})
    own = [
        {"sampler": "ddim-50", "design": "truncate", "jump": jump, "skipped_steps": 10}
        for jump in ("gaussian", "isotropic")
    ]
    few = [
        {"sampler": f"{name}-5", "design": "regrid", "jump": "gaussian", "skipped_percent": 60}
        for name in ("ddim", "heun")
    ]
    few += [{"sampler": "ddim-5", "design": "regrid", "jump": "mixture", "skipped_percent": 60}]
    files = {"own": own, "few": few}
    for name, rows in files.items():
        (tmp_path / name).write_text(json.dumps(rows if name == "few" else rows[0]), encoding="utf-8")
    (tmp_path / "null").write_text(json.dumps(own[1]), encoding="utf-8")
    table = tabulate_teleport.gather(
        [str(tmp_path / "own"), str(tmp_path / "null")],
        [str(tmp_path / "few")],
        str(tmp_path / "jumps.zarr.zip"),
        "classifier",
    )
    assert list(table) == tabulate_teleport.COLUMNS
    np.testing.assert_allclose(table["rmse_of_jump"], [0.1, np.nan, 0.2, 0.2, np.nan])
    assert table["rmse_of_jump_low"].tolist()[0] == pytest.approx(0.1)


def test_a_cell_says_where_the_jump_landed_and_what_it_took() -> None:
    best = sweep.best(sweep.regridded(sweeps.regridded(["heun"], NFE)))
    config = {"nfe": [5, 10], "samplers": labels(["heun"]), "jumps": sweeps.JUMPS}
    cells = tabulate_low_nfe.line(best[best["jump"] == "mixture"], best[:0], config)
    assert cells == {
        "NFE 5": "1.200 (80 %)\n1.164 to 1.236\nautoencoder -40%\nRMSE -40%",
        "NFE 10": "0.667 (80 %, NFE 9)\n0.647 to 0.687\nautoencoder -40%\nRMSE -40%",
        "No jump, many calls": "",
    }
    elsewhere = tabulate_low_nfe.cell(best[best["jump"] == "mixture"].assign(grid="karras"), 5)
    assert elsewhere.startswith("1.200 (80 %, karras)\n")
    low = best[best["jump"] == "none"].assign(fd_infinite=0.01)
    assert tabulate_low_nfe.cell(sweep.within(low, 5), 5).startswith("0.010, at the floor\n")


def test_pages_of_several_tables_keep_line_breaks_and_leave_out_what_is_not_known() -> None:
    table = pd.DataFrame({"a": ["1\n2 < 3"], "b": [np.nan], "c": [0.5]})
    page = tables.pages([tables.Part("First & last", "", table, {"b": "{:.1f}", "c": "{:.0%}"})], "Title", "Note")
    assert "<td>1\n2 &lt; 3</td>" in page
    assert "<td></td>" in page
    assert "<td>50%</td>" in page
    assert "<h2>First &amp; last</h2><table" in page


def shipped(name: str) -> Study:
    return find_studies([name], "config/studies", "config/config.yaml", data="data")[name]


def test_low_nfe_figures_and_page_are_there_with_a_low_nfe_only() -> None:
    with_low_nfe = shipped("digits")
    without = with_low_nfe.model_copy(update={"low_nfe": None})
    made = {
        file
        for study in (with_low_nfe, without)
        for file in (*figures.files("x", study), *files.products.tables("x", study))
    }
    of_low_nfe = {file for file in made if "low_nfe" in file}
    assert len(of_low_nfe) == 2 * sum("low_nfe" in figure.draw for figure in figures.FIGURES) + 1
    assert of_low_nfe <= {*figures.files("x", with_low_nfe), *files.products.tables("x", with_low_nfe)}
    assert not of_low_nfe & {*figures.files("x", without), *files.products.tables("x", without)}


def test_the_best_of_all_others_is_drawn_and_gets_no_worse_with_more_calls() -> None:
    table = sweeps.regridded(["ddim", "unipc", "relative"], (4, 5, 8))
    worse = (table["sampler"] == "unipc-8") | (table["sampler"] == "ddim-8")
    table.loc[worse, "fd_infinite"] = 9.0
    panel = quality_by_calls(table, labels(["ddim", "unipc", "relative"])).axes[1]
    envelope = next(line for line in panel.lines if line.get_linewidth() > 1.5 and line.get_linestyle() == "-")
    plain = table[(table["jump"] == "none") & ~table["sampler"].str.startswith("relative") & (table["nfe"] < 50)]
    at_five = plain[plain["nfe"] <= 5]["fd_infinite"].min()
    np.testing.assert_allclose(np.asarray(envelope.get_ydata())[-2:], at_five)


def test_images_shown_are_of_five_and_ten_calls_and_of_the_plain_run() -> None:
    shown = files.low_nfe.shown(shipped("digits"))
    assert shown == [
        [5, "none"],
        [5, "gaussian"],
        [5, "mixture"],
        [10, "none"],
        [10, "gaussian"],
        [10, "mixture"],
        [50, "none"],
    ]
    assert files.low_nfe.pictures("x", shipped("digits"))[1] == "results/x/low_nfe/ddim-5/gaussian/seeds_0-400.zarr.zip"
