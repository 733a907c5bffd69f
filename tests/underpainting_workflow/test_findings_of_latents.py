"""Findings of text-to-image studies, from tables with known losses."""

from __future__ import annotations

import pandas as pd

from tests.helpers.jumps import sweep_table
from underpainting_workflow.claims.claim import Claim
from underpainting_workflow.findings.finding import Finding
from underpainting_workflow.findings.latents import NULL_MODEL, Swept, findings

SWEPT = Swept("ddim-20", "DDIM, 20 steps")
TEXT = "DDIM: states take more components at guidance 7.5 than at 1: mean difference above 0"
CLAIM = Claim(TEXT, "App. B.8.2, Fig. 24", "higher", 1.5, 1.0, 2.0, "no effect", 0.0, 0.0, 0.0, 64, "yes")
CLAIMS = pd.DataFrame([CLAIM], columns=Claim._fields)


def table() -> pd.DataFrame:
    """The table of known losses, with the prompt's Gaussian under known prompts."""
    rows = sweep_table()
    rows.loc[(rows["group"] == "known") & (rows["gaussian"] == "predicted"), "gaussian"] = "prompt"
    return rows


def found(rows: pd.DataFrame) -> dict[str, Finding]:
    return {finding.title: finding for finding in findings(rows, CLAIMS, SWEPT)}


def test_what_a_jump_saves_has_a_number_per_guidance_and_comparison() -> None:
    made = found(table())
    for title in ("What a jump saves", "A jump under a prompt that is new"):
        numbers = made[title].numbers
        assert [number.value for number in numbers] == [0.6] * 6 and [number.null for number in numbers] == [0.0] * 6
        assert "60 % (60 % to 60 %) and 60 %" in made[title].sentence and NULL_MODEL in made[title].sentence
    assert "the prompt's Gaussian" in made["What a jump saves"].sentence
    assert "predicted from the text" in made["A jump under a prompt that is new"].sentence


def test_the_distances_alone_are_reported_beside_all_measures() -> None:
    rows = table()
    jumped = (rows["gaussian"] == "prompt") & (rows["skipped_steps"] == 8)
    rows.loc[jumped, ["agreement_loss", "agreement_loss_low", "agreement_loss_high"]] = 0.1
    finding = found(rows)["What a jump saves"]
    assert [number.value for number in finding.numbers] == [0.2] * 2 + [0.6] * 4
    assert "Judged by the Frechet distances alone it replaces 60 % (60 % to 60 %) and 60 %" in finding.sentence


def test_agreement_stands_beside_the_plain_run_of_as_many_calls() -> None:
    finding = found(table())["The effect of a jump at few network calls"]
    assert [round(number.value, 6) for number in finding.numbers] == [0.7, 0.9, 0.2] * 2
    assert "over 16 steps of DDIM with 20 steps, with 4 and 8 network calls left" in finding.sentence
    assert (
        "70 % (69 % to 71 %) of the images agree with all that their prompt says, of the plain run's 90 %"
        in finding.sentence
    )


def test_a_study_without_jumps_has_its_claims_alone() -> None:
    (alone,) = findings(pd.DataFrame(), CLAIMS, None)
    assert alone.sentence == f"{TEXT}. Measured: 1.500 (95 % interval 1.000 to 2.000); reproduced: yes."
    assert findings(pd.DataFrame(), CLAIMS.iloc[:0], None) == []


def test_what_was_not_measured_is_left_out() -> None:
    made = found(sweep_table())
    assert "What a jump saves" not in made, "no prompt has a Gaussian of its own in this table"
    assert "A jump under a prompt that is new" in made
