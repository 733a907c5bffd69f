"""The planner against divergences known in closed form, and its choices on sweeps made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import DDIMScheduler

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise import schedules
from underpainting.noise.levels import vp_level
from underpainting.samplers.walk import Sampler
from underpainting.teleport import hybrid_sampler, planner
from underpainting.teleport.planner import Shortfall
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting_workflow import plan_table

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


def test_the_loss_at_a_level_lies_between_those_asked_for(basis: Eigenbasis) -> None:
    shortfall = measured(basis, 5.0, 200)
    lost = planner.loss(shortfall).mean(0)
    assert planner.loss_at(shortfall, RATIOS[30]) == pytest.approx(lost[30])
    assert lost[30] < planner.loss_at(shortfall, float(np.sqrt(RATIOS[30] * RATIOS[31]))) < lost[31]
    assert planner.loss_at(shortfall, 1e6) == 0.0
    assert planner.loss_at(shortfall, 1e-6) == lost[-1]


@pytest.mark.parametrize(
    ("losses", "max_loss", "place"),
    [([3.0, 1.0, 1.05, 2.0], 0.1, 2), ([3.0, 1.0, 1.05, 2.0], 0.01, 1), ([-1.0], 0.0, 0)],
)
def test_the_furthest_loses_at_most_max_loss(losses: list[float], max_loss: float, place: int) -> None:
    assert planner.furthest(losses, max_loss) == place


def flat(excess: float) -> Shortfall:
    """A jump whose model is worse than the network, by the same at every level."""
    return Shortfall(RATIOS, np.full((1, len(RATIOS)), excess))


def test_a_perfect_jump_skips_all_it_can_and_a_bad_one_little(basis: Eigenbasis) -> None:
    sampler = Sampler("ddim", 20, DDIMScheduler(clip_sample=False))
    assert planner.best_skipped_steps(flat(0.0), basis.variances, sampler) == 19
    skipped = [planner.best_skipped_steps(flat(excess), basis.variances, sampler) for excess in (0.01, 0.1, 1.0, 100.0)]
    assert skipped == sorted(skipped, reverse=True) and skipped[-1] < skipped[0] < 19


def test_few_steps_begin_later_than_many(basis: Eigenbasis) -> None:
    """What the jump loses is the same; the steps lose more, the fewer they are."""
    schedule = schedules.schedule_of(DDIMScheduler(clip_sample=False))
    starts = [1 - skipped / 20 for skipped in range(20)]

    def start(steps: int) -> float:
        walks = {start: hybrid_sampler.regridded("ddim", schedule, steps, start) for start in starts}
        return planner.best_start(flat(0.3), basis.variances, walks, 1e-6)

    found = [start(steps) for steps in (3, 6, 12, 50)]
    assert found == sorted(found) and found[0] < found[-1]


def sweep(**columns: list[float]) -> pd.DataFrame:
    """Rows of one sampler; in features of the autoencoder, and from the network's own images, the shortest jump is the best."""
    rows = len(columns["skipped_steps"])
    base = {"sampler": ["ddim-9"] * rows, "design": ["truncate"] * rows, "grid": [np.nan] * rows}
    base |= {"alpha": [1.0] * rows, "n": [100] * rows}
    jumps = ["gaussian" if skipped else "none" for skipped in columns["skipped_steps"]]
    others = {"skipped_percent": np.nan, "floor_infinite": 0.5, "autoencoder_floor_infinite": 0.0}
    measures = {
        name: [1.0 + skipped for skipped in columns["skipped_steps"]]
        for name in ("autoencoder_fd_infinite", "rmse_to_network")
    }
    return pd.DataFrame({**base, "jump": jumps, **others, **measures, **columns})


SHORTFALL = {"gaussian": Shortfall(np.array([8.0, 4.0, 2.0, 1.0]), np.array([[0.0, 0.0, 1.0, 9.0]]))}


def three_rows(distances: list[float]) -> pd.DataFrame:
    return sweep(
        skipped_steps=[6, 0, 3], sigma=[1.0, 9.0, 4.0], nfe=[3, 9, 6], fd_infinite=distances, step_loss=[0.2, 0.4, 0.3]
    )


def test_the_plan_is_compared_with_the_best_of_the_sweep() -> None:
    rows = three_rows([4.0, 2.0, 1.0])
    found = plan_table.compare(rows, SHORTFALL, tolerance=0.01, calls=9).iloc[0]
    assert (found["planned"], found["best"], found["fd"], found["excess"]) == (3, 3, 1.0, 0.0)
    assert (found["jump_loss"], found["step_loss"]) == (0.0, 0.3)
    assert found["cost"] == 9 / (100 * 18)
    bolder = plan_table.compare(rows, SHORTFALL, tolerance=50.0, calls=9).iloc[0]
    assert (bolder["planned"], bolder["excess"]) == (6, 3.0)
    longer = plan_table.compare(rows.assign(step_loss=[0.2, 9.0, 8.0]), SHORTFALL, tolerance=0.01, calls=9)
    assert longer.iloc[0]["planned"] == 6, "steps that lose more than the jump are worth skipping"


def test_each_grid_is_planned_for_itself() -> None:
    rows = (
        three_rows([4.0, 2.0, 1.0]).iloc[[2, 0]].assign(design="regrid", skipped_percent=[3, 6], skipped_steps=np.nan)
    )
    other = rows.assign(grid="karras", step_loss=[50.0, 0.2], fd_infinite=rows["fd_infinite"] / 2)
    table = pd.concat([rows.assign(grid="time"), other], ignore_index=True)
    found = plan_table.compare(table, SHORTFALL, tolerance=0.01, calls=9)
    assert found[["grid", "planned"]].to_numpy().tolist() == [["time", 3], ["karras", 6]]
    assert (found["best_fd"] == [1.0, 0.5]).all()


def test_each_measure_has_its_own_best_skipped_steps() -> None:
    found = plan_table.compare(three_rows([4.0, 2.0, 1.0]), SHORTFALL, tolerance=0.01, calls=9).iloc[0]
    for prefix in ("autoencoder_", "network_"):
        assert (found[f"{prefix}best"], found[f"{prefix}excess"]) == (0, 3.0)
    assert list(found.index) == plan_table.COLUMNS


def test_what_is_below_the_floor_is_no_better_than_the_floor() -> None:
    found = plan_table.compare(three_rows([0.5, 0.1, 0.2]), SHORTFALL, tolerance=0.01, calls=9).iloc[0]
    assert (found["planned"], found["excess"], found["fd"], found["best_fd"]) == (3, 0.0, 0.5, 0.5)


def test_a_stochastic_sampler_has_no_best_by_the_networks_own_images() -> None:
    rows = three_rows([4.0, 2.0, 1.0]).assign(rmse_to_network=np.nan)
    found = plan_table.compare(rows, SHORTFALL, tolerance=0.01, calls=9).iloc[0]
    assert np.isnan(found["network_best"]) and np.isnan(found["network_excess"]) and found["best"] == 3


def test_the_null_model_is_neither_planned_nor_part_of_the_cost() -> None:
    rows = three_rows([4.0, 2.0, 1.0])
    null = rows[rows["skipped_steps"] > 0].assign(jump="isotropic", fd_infinite=0.6)
    both = plan_table.compare(pd.concat([rows, null]), SHORTFALL, tolerance=0.01, calls=9)
    pd.testing.assert_frame_equal(both, plan_table.compare(rows, SHORTFALL, tolerance=0.01, calls=9))
