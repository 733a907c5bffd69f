"""Which images no features are learned from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpainting.quality import held_out


@given(st.integers(0, 500), st.integers(0, 300))
def test_half_is_held_out_but_no_more_than_the_most(count: int, most: int) -> None:
    held = held_out.held_out_indices(count, most)
    assert len(held) == min(count // 2, most)
    rest = held_out.training_indices(count, held)
    assert sorted([*held.tolist(), *rest.tolist()]) == list(range(count)), "each image is in one of both, once"
    assert (np.diff(held) > 0).all() and (np.diff(rest) > 0).all()


@pytest.mark.parametrize(("count", "expected"), [(1797, 898), (20_000, 10_000), (25_000, 10_000), (60_000, 10_000)])
def test_ten_thousand_at_most(count: int, expected: int) -> None:
    assert len(held_out.held_out_indices(count)) == expected


def test_the_draw_is_the_same_each_time_and_at_random() -> None:
    held = held_out.held_out_indices(1000)
    np.testing.assert_array_equal(held, held_out.held_out_indices(1000))
    assert set(held) != set(held_out.held_out_indices(1000, seed=1))
    assert 150 < (held < 500).sum() < 350, "not the first half: data sets are often sorted by class"
