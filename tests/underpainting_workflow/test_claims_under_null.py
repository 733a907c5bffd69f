"""Claims whose data come from their null model, and claims whose data follow the claim."""

from __future__ import annotations

import pytest
from scipy import stats

from benchmarks.claims_under_null import MOST
from benchmarks.null_artifacts import FAMILIES, fractions

pytestmark = pytest.mark.slow

TRIALS = 16
ALLOWED = stats.binom.ppf(1 - 1e-4, TRIALS, MOST) / TRIALS


@pytest.mark.parametrize("family", FAMILIES)
def test_a_null_model_at_the_bound_seldom_passes(family: str) -> None:
    found = fractions(family, "at", TRIALS)
    assert {claim: part for claim, part in found.items() if part > ALLOWED} == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_claim_that_holds_passes_mostly(family: str) -> None:
    """So the test before can fail: the same claims, and data that follow them."""
    found = fractions(family, "holds", 4)
    possible = {claim: part for claim, part in found.items() if "cannot give less" not in claim}
    assert len(possible) >= 2
    assert min(possible.values()) >= 0.75 > ALLOWED, possible
