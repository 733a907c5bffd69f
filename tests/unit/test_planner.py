"""The planner against divergences known in closed form, and its choices on sweeps made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import GaussianDenoiser
from underpainting.noise import NoiseGrid, vp_level
from underpainting.teleportation import plan_table, planner
from underpainting.teleportation.planner import Shortfall

RATIOS = planner.ratios(100.0, 0.3, 60)


def widened(basis: Eigenbasis, factor: float) -> Eigenbasis:
    return Eigenbasis(
        basis.mean, basis.vectors, basis.variances * factor, basis.total_variance * factor, basis.image_shape
    )


def drawn(basis: Eigenbasis, count: int) -> torch.Tensor:
    noise = torch.randn(count, basis.rank, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (basis.mean + (noise * basis.variances.sqrt()) @ basis.vectors.T).reshape(count, *basis.image_shape)


def divergence(basis: Eigenbasis, factor: float, ratio: float) -> float:
    """KL(N(0, lambda + r^2) || N(0, factor lambda + r^2)), summed over components: the textbook's formula."""
    share = (basis.variances + ratio**2) / (factor * basis.variances + ratio**2)
    return float(0.5 * (share - 1 - share.log()).sum())


def measured(basis: Eigenbasis, factor: float, count: int = 2000) -> Shortfall:
    """Data of `basis`, the exact denoiser as the network, a Gaussian that is too wide behind the jump."""
    models = {"wide": GaussianDenoiser(widened(basis, factor))}
    levels = [vp_level(float(ratio)) for ratio in RATIOS]
    return planner.shortfalls(models, GaussianDenoiser(basis), drawn(basis, count), levels)["wide"]


@pytest.mark.parametrize("factor", [0.5, 2.0, 5.0])
def test_the_loss_is_the_divergence_of_the_noised_distributions(basis: Eigenbasis, factor: float) -> None:
    lost = planner.loss(measured(basis, factor)).mean(0)
    for place in (25, 42, 59):
        assert lost[place] == pytest.approx(divergence(basis, factor, RATIOS[place]), rel=0.1, abs=2e-3)


def test_a_jump_by_the_networks_own_model_loses_nothing(basis: Eigenbasis) -> None:
    shortfall = measured(basis, 1.0, 8)
    assert np.abs(planner.loss(shortfall)).max() < 1e-9
    assert planner.furthest(shortfall) == RATIOS[-1]


def test_the_furthest_level_loses_what_is_wanted(basis: Eigenbasis) -> None:
    shortfall = measured(basis, 5.0)
    wanted = 0.2
    lost = np.interp(-np.log(planner.furthest(shortfall, wanted)), -np.log(RATIOS), planner.loss(shortfall).mean(0))
    assert lost == pytest.approx(wanted, rel=0.02)
    assert planner.furthest(shortfall, 0.5) < planner.furthest(shortfall, wanted)


def test_a_worse_network_is_jumped_over_to_where_it_gets_better() -> None:
    """The excess is negative down to 2, positive below: the loss is least there."""
    ratio = np.array([8.0, 4.0, 2.0, 1.0, 0.5])
    shortfall = Shortfall(ratio, np.array([[-4.0, -4.0, -4.0, 8.0, 8.0]]))
    assert planner.furthest(shortfall, 1e-9) == pytest.approx(2.0, rel=1e-6)


def test_fewer_calls_allow_more() -> None:
    assert planner.allowed(0.02, 50) == planner.allowed(0.02, 100) == 0.02
    assert planner.allowed(0.02, 5) > planner.allowed(0.02, 10) > 0.02


@pytest.mark.parametrize(("ratio", "skip"), [(50.0, 0), (10.0, 0), (5.0, 1), (4.9, 1), (0.9, 3), (0.01, 3)])
def test_a_skip_is_no_less_noisy_than_allowed_and_leaves_a_step(ratio: float, skip: int) -> None:
    grid = NoiseGrid.of([*(vp_level(level) for level in (10.0, 5.0, 2.0, 1.0)), vp_level(0.0)])
    assert planner.skip_of(grid, ratio) == skip


def sweep(**columns: list[float]) -> pd.DataFrame:
    rows = len(columns["skip"])
    base = {"sampler": ["ddim-9"] * rows, "design": ["truncate"] * rows, "alpha": [1.0] * rows, "n": [100] * rows}
    return pd.DataFrame({**base, "jump": ["gaussian" if skip else "none" for skip in columns["skip"]], **columns})


def test_the_plan_is_compared_with_the_best_of_the_sweep() -> None:
    rows = sweep(skip=[0, 3, 6], sigma=[9.0, 4.0, 1.0], nfe=[9, 6, 3], fd=[2.0, 1.0, 4.0])
    shortfall = Shortfall(np.array([8.0, 4.0, 2.0, 1.0]), np.array([[0.0, 0.0, 1.0, 9.0]]))
    found = plan_table.compare(rows, {"gaussian": shortfall}, wanted=0.1, calls=9).iloc[0]
    assert (found["planned"], found["best"], found["fd"], found["excess"]) == (3, 3, 1.0, 0.0)
    assert found["cost"] == 9 / (100 * 18)
    bolder = plan_table.compare(rows, {"gaussian": shortfall}, wanted=50.0, calls=9).iloc[0]
    assert (bolder["planned"], bolder["excess"]) == (6, 3.0)
