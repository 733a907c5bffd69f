"""Claims about jumps in latent space, on a table with known losses."""

from __future__ import annotations

import pytest

from tests.helpers.jumps import sweep_table
from underpainting_workflow.claims import latent_teleport
from underpainting_workflow.claims.latent_teleport import AGREEMENT, FIDELITY, claims, free_share

PREDICTED = ("ddim-20", "jump", "predicted")


def test_the_share_is_that_of_the_longest_free_jump() -> None:
    found = free_share(sweep_table(), "known", 7.5, PREDICTED)
    assert found is not None and float(found.estimate) == 12 / 20 and found.n == 512
    assert float(found.low) <= float(found.estimate) <= float(found.high)
    none = free_share(sweep_table(), "known", 7.5, ("ddim-20", "jump", "common"))
    assert none is not None and float(none.high) == 0


def test_the_strictest_measure_decides() -> None:
    table = sweep_table()
    jumped = (table["gaussian"] == "predicted") & (table["skipped_steps"] == 12)
    table.loc[jumped, ["autoencoder_loss", "autoencoder_loss_low", "autoencoder_loss_high"]] = 0.06
    found = free_share(table, "known", 1.0, PREDICTED)
    assert found is not None and float(found.estimate) == 8 / 20
    alone = free_share(table, "known", 1.0, PREDICTED, measures=(AGREEMENT, FIDELITY))
    assert alone is not None and float(alone.estimate) == 12 / 20


def test_an_open_upper_end_does_not_count_as_free() -> None:
    table = sweep_table()
    jumped = (table["gaussian"] == "predicted") & (table["skipped_steps"] == 8)
    table.loc[jumped, "loss_high"] = 0.4
    found = free_share(table, "known", 1.0, PREDICTED)
    assert found is not None and float(found.low) == 4 / 20 and float(found.estimate) == 12 / 20


def test_what_the_table_lacks_has_no_share() -> None:
    assert free_share(sweep_table(), "known", 7.5, ("ddim-20", "jump", "prompt")) is None
    assert free_share(sweep_table(), "known", 5.0, PREDICTED) is None


def test_every_case_is_a_claim_with_the_gaussian_of_all_latents_as_its_null_model() -> None:
    found = claims(sweep_table())
    jumps = [claim for claim in found if "jump with the predicted" in claim.claim]
    assert len(jumps) == 2 * 2 * 2 and all(claim.null == 0 for claim in jumps)
    assert all(claim.reproduced == "yes" for claim in jumps)
    assert len(found) == 2 * len(jumps)  # those of the relative sampler, without a null model in this table


@pytest.mark.parametrize(("kind", "text"), [("plain", "DDIM, plain"), ("relative", "Relative sampler with")])
def test_ways_are_described_in_words(kind: str, text: str) -> None:
    assert latent_teleport.describe(("ddim-20", kind, "predicted")).startswith(text)
