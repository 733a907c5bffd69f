"""Findings of the front page, from tables and artifacts whose truth is known, and their pictures."""

from __future__ import annotations

import base64
import io
import json
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from scripts.tabulate_teleport import COLUMNS
from underpainting_workflow import front
from underpainting_workflow.findings.finding import Finding
from underpainting_workflow.findings.images import NULL_MODEL, Swept, findings

SWEPT = Swept("ddim-50", "DDIM, 50 steps", 50)
JUMPS = {"gaussian": "Gaussian", "mixture": "mixture", "isotropic": "isotropic Gaussian"}
LOSSES = {10: 0.0, 20: 0.01, 30: 0.5}
EXACT = {"floor": 0.0, "floor_infinite": 0.0, "autoencoder_floor": 0.0, "autoencoder_floor_infinite": 0.0}


def numbers(spread: float, **values: float) -> dict[str, float]:
    """Numbers with intervals of a width to each side."""
    return {
        f"{name}{end}": value + sign * spread
        for name, value in values.items()
        for end, sign in (("", 0), ("_low", -1), ("_high", 1))
    }


def losses(loss: float, autoencoder: float, network: float, spread: float = 0.005) -> dict[str, float]:
    """The three losses of a row, and a distance that has the first."""
    return numbers(spread, loss=loss, autoencoder_loss=autoencoder, network_loss=network, fd_infinite=1 + loss)


def row(**others: Any) -> dict[str, Any]:
    """A row of the table."""
    return {
        "n": 500,
        "extractor": "classifier",
        "skipped_steps": 0,
        "skipped_percent": 0,
        "jump": "none",
        **EXACT,
        **others,
    }


def own_grid(tried: tuple[int, ...] = (0, 10, 20, 30), null: bool = True) -> list[dict[str, Any]]:
    """DDIM on its own grid: the distance allows 20 steps, the network's own images 10; the null model allows nothing."""
    rows = []
    for skipped in tried:
        place = {"sampler": "ddim-50", "design": "truncate", "skipped_steps": skipped, "nfe": 50 - skipped}
        if not skipped:
            rows.append(row(**place, **losses(0, 0, 0, 0.0), **numbers(0.002, rmse_to_network=0.05)))
            continue
        loss = LOSSES[skipped] if 0 in tried else nan
        known = losses(loss, 0.0, 0.015 if skipped == 10 else 0.1)
        rows.append(
            row(**place, jump="gaussian", **known, **numbers(0.001, rmse_of_jump=skipped / 1000, rmse_to_network=0.06))
        )
        if null:
            known = losses(0.9, 0.8, 0.7)
            rows.append(row(**place, jump="isotropic", **known, **numbers(0.001, rmse_to_network=0.2)))
    return rows


def few(null: bool = True) -> list[dict[str, Any]]:
    """UniPC at 5 and at 10 calls: the mixture's jump over 60 % is best."""
    rows = []
    for calls in (5, 10):
        place = {"sampler": f"unipc-{calls}", "design": "regrid", "nfe": calls}
        rows.append(row(**place, **losses(0, 0, 0)))
        rows.append(row(**place, jump="gaussian", **{**losses(-0.2, -0.1, 0.1), "skipped_percent": 40}))
        rows.append(row(**place, jump="mixture", **{**losses(-0.3, -0.1, 0.1), "skipped_percent": 50}))
        rows.append(row(**place, jump="mixture", **{**losses(-4 / calls / 2, -0.25, 0.031), "skipped_percent": 60}))
        if null:
            rows.append(row(**place, jump="isotropic", **{**losses(2.5, 2.0, 1.5), "skipped_percent": 40}))
    return rows


def comparison(left: int = 6, null_left: int = 2) -> xr.Dataset:
    """Eight trajectories of ten steps that the theories leave after as many steps, the last of them a step later."""
    errors = {"state_error": left, "isotropic_state_error": null_left}
    seeds, steps = np.arange(8)[:, None], np.arange(11)
    return xr.Dataset(
        {name: (("sample", "step"), np.where(steps >= at + (seeds == 7), 1.0, 0.0)) for name, at in errors.items()}
    )


def emerged(mean: float = 1.1, spread: float = 0.05) -> xr.Dataset:
    """Two components around the mean variance's prediction, one sqrt(2) times above it and one that far below."""
    variances = np.array([2.0, 0.5])
    stored = {f"mean_ratio{end}": mean + sign * spread for end, sign in (("", 0), ("_low", -1), ("_high", 1))}
    return xr.Dataset(
        {
            "measured_ratio": ("component", mean * np.sqrt(variances)),
            "predicted_ratio": ("component", np.sqrt(variances)),
            "mean_variance": 0.25,
            **stored,
        },
        coords={"sample": np.arange(8)},
    )


def found(
    rows: list[dict[str, Any]], gaussian: xr.Dataset | None = None, late: xr.Dataset | None = None
) -> list[Finding]:
    """The findings from rows of the table, beside a comparison and an emergence."""
    table = pd.DataFrame(rows, columns=COLUMNS)
    parts = comparison() if gaussian is None else gaussian, emerged() if late is None else late
    return findings(table, *parts, SWEPT, "DDIM, 50 steps", JUMPS)


def test_a_study_with_everything_has_five_findings_each_with_its_figure() -> None:
    made = found(own_grid() + few())
    figures = ["fig04f_fidelity", "fig_low_nfe", "fig04e_hybrid", "fig04d_models", "fig_emergence"]
    assert [finding.figure for finding in made] == figures
    assert all("95 % interval" in finding.sentence and NULL_MODEL in finding.sentence for finding in made)
    assert all("nan" not in finding.sentence + finding.meaning for finding in made)


def test_what_a_jump_saves_is_limited_by_the_strictest_measure() -> None:
    finding = found(own_grid())[0]
    every, distance = finding.numbers
    assert (every.value, distance.value) == (0.2, 0.4)
    assert (every.low, every.high) == (0.2, 0.2)
    assert (every.null, distance.null) == (0.0, 0.0)
    assert finding.sentence.startswith(
        "A jump saves 20 % (95 % interval 20 % to 20 %) of the network calls of DDIM with 50 steps (10 steps skipped) before "
        "any of 3 measures grows by more than 2 %; judged by the FD (classifier) alone it saves 40 % (40 % to 40 %); the jump of"
    )


def test_at_few_calls_the_best_jump_is_reported_at_the_fewest_and_at_ten() -> None:
    finding = found(own_grid() + few())[1]
    assert [round(number.value, 6) for number in finding.numbers] == [-0.4, -0.25, 0.031, -0.3, -0.1, 0.1]
    assert [number.null for number in finding.numbers] == [2.5, 2.0, 1.5] * 2
    assert finding.numbers[0].low == pytest.approx(-0.405)
    assert (
        "With 5 network calls the best jump (mixture, over 60 % of the network's time, before UniPC)"
        in finding.sentence
    )
    assert "by -40.0 % (95 % interval -40.5 % to -39.5 %), the FD (autoencoder) by -25.0 %" in finding.sentence
    assert "changes them by -30.0 % (" in finding.sentence, "the measures are named once"
    assert "; the jump of an isotropic Gaussian changes them by +250 %, +200 % and +150 %." in finding.sentence
    assert "(mixture, over 50 % of" in finding.sentence, "another jump is best with 10 calls"


def test_a_study_without_few_calls_says_what_40_per_cent_cost() -> None:
    finding = found(own_grid())[1]
    assert finding.figure == "fig17_skipping"
    assert finding.sentence.startswith("A jump over 20 steps of DDIM with 50 steps changes the FD (classifier)")
    assert [(number.value, number.null) for number in finding.numbers] == [(0.01, 0.9), (0.0, 0.8), (0.1, 0.7)]


def test_what_a_jump_changes_for_good_is_that_of_the_free_jump() -> None:
    finding = found(own_grid())[2]
    jump, plain, after = finding.numbers
    assert (jump.value, plain.value, after.value, after.null) == (0.01, 0.05, 0.06, 0.2)
    assert np.isnan([jump.null, plain.null]).all(), "the network's own images after the null model's jump are not made"
    assert "by 0.050 (0.048 to 0.052) without a jump and 0.060 (0.059 to 0.061) after it; after the" in finding.sentence


def test_how_long_the_gaussian_holds_is_a_share_of_the_steps() -> None:
    (number,) = found(own_grid())[3].numbers
    assert number.value == pytest.approx(0.6 + 0.1 / 8)
    assert number.null == pytest.approx(0.2 + 0.1 / 8)
    assert number.low < number.value < number.high
    (always,) = found(own_grid(), comparison(10, 10))[3].numbers
    assert (always.value, always.high) == (1.0, 1.0)


@pytest.mark.parametrize(("mean", "words"), [(1.1, "earlier than"), (0.8, "later than"), (1.02, "where predicted")])
def test_when_features_are_fixed_is_said_in_words(mean: float, words: str) -> None:
    finding = found(own_grid(), late=emerged(mean))[4]
    (number,) = finding.numbers
    assert (number.value, number.low, number.high) == (mean, mean - 0.05, mean + 0.05)
    assert number.null == pytest.approx(2 * mean), "the isotropic Gaussian predicts half of it"
    assert words in finding.meaning


def test_what_was_not_measured_is_left_out_and_no_number_is_made_up() -> None:
    figures = [finding.figure for finding in found(own_grid((10, 20)), late=emerged(nan))]
    assert figures == ["fig04e_hybrid", "fig04d_models"]
    assert not found([row(sampler="ddim-50", design="truncate", nfe=50)])[0].figure.startswith("fig04f")
    alone = found(own_grid(null=False) + few(null=False))
    assert len(alone) == 5
    assert all(np.isnan(number.null) for finding in alone[:3] for number in finding.numbers)
    assert all(NULL_MODEL not in finding.sentence for finding in alone[:3])


def test_json_has_null_for_what_is_unknown() -> None:
    plain = json.loads(json.dumps([finding.plain() for finding in found(own_grid(null=False))], allow_nan=False))
    assert plain[0]["numbers"][0]["null"] is None
    assert plain[0]["numbers"][0]["value"] == 0.2
    assert set(plain[0]) == {"title", "sentence", "meaning", "numbers", "figure"}


def test_a_picture_is_small_and_comes_back_from_its_url(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 900, 3), dtype=np.uint8)
    Image.fromarray(np.kron(noise[:20, :30], np.ones((30, 30, 1), np.uint8))).save(tmp_path / "large.png")
    Image.new("RGB", (300, 200), "red").save(tmp_path / "small.png")
    large, small = (front.picture(tmp_path / name) for name in ("large.png", "small.png"))
    assert Image.open(io.BytesIO(small)).size == (300, 200), "nothing is made larger"
    assert Image.open(io.BytesIO(large)).width in front.WIDTHS
    assert len(large) <= front.LARGEST
    lines = front.data_url(large)
    assert all(len(line) < 10_000 for line in lines), "longer lines are refused by docutils"
    assert base64.b64decode("".join(lines).removeprefix("data:image/png;base64,")) == large


def test_verdicts_are_counted(tmp_path: Path) -> None:
    verdicts = ["yes", "yes", "no", "undecided", "trivial", "yes"]
    pd.DataFrame({"claim": 'a, "b"', "reproduced": verdicts}).to_csv(tmp_path / "claims.csv", index=False)
    assert front.claims(tmp_path / "claims.csv") == {"yes": 3, "undecided": 1, "no": 1, "trivial": 1, "all": 6}
