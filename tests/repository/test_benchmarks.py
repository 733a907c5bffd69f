"""The table of benchmarks: each row is printed as soon as it is measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from benchmarks import coverage, few_calls, optimal_grid, relative
from benchmarks.measure import Ratio, print_each, table
from tests.helpers.bases import make_basis
from tests.helpers.pipelines import SMALL
from underpainting import denoisers
from underpainting.analysis.statistics import Interval
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import StoredBasis, save_basis


def row(name: str) -> Ratio:
    return Ratio(name, "peer", 0.5, 0.4, 0.6, 1.0, 2.0, "below 1")


def test_each_row_is_printed_before_the_next_one_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def measured() -> Iterator[Ratio]:
        yield row("first")
        shown = capsys.readouterr()
        assert shown.out.splitlines()[-1].startswith("| first ") and "what" in shown.out
        assert shown.err == "measuring something slow, 1 of 2\n"
        yield row("second")

    print_each({"something slow": measured, "something else": lambda: [row("third")]})
    rest = capsys.readouterr()
    assert [line.split()[1] for line in rest.out.splitlines()] == ["second", "third"]
    assert rest.err == "measuring something else, 2 of 2\n"


def test_a_table_that_is_printed_at_once_is_aligned() -> None:
    lines = table(iter([row("a"), row("a longer name")])).splitlines()
    assert len({len(line) for line in lines}) == 1 and len(lines) == 4


def test_coverage_is_the_share_of_trials_whose_interval_holds_the_truth() -> None:
    def draw(random: np.random.Generator) -> Interval:
        low = np.array([random.random(), np.nan])
        return Interval(low, low, np.array([2.0, 2.0]), 5)

    case = coverage.Case(("a number", "one that is not defined"), "uniform", 5, draw, np.array([0.95, 1.0]), 2000)
    found, undefined = coverage.simulate(case)
    assert abs(found.share - 0.95) < 4 * found.error and found.error == pytest.approx(0.005, rel=0.2)
    assert undefined.share == 0 and undefined.verdict() == "below"
    assert coverage.row(found).startswith("| a number | uniform | 5 | 0.95 | 2000 | 0.9")
    assert coverage.row(found).endswith("| yes |")


@pytest.mark.parametrize(
    ("share", "said"), [(0.925, "below, by chance?"), (0.9, "below"), (0.99, "above"), (0.95, "yes")]
)
def test_coverage_beyond_its_bounds_is_told(share: float, said: str) -> None:
    assert coverage.Coverage("mean", "normal", 8, 0.0, 1000, share).verdict() == said


def test_every_case_draws_an_interval_of_the_shape_of_its_truth() -> None:
    for cases in coverage.CASES:
        case = next(iter(cases()))
        found = case.draw(np.random.default_rng(0))
        assert found.low.shape == found.high.shape == case.truth.shape and found.n == case.n, case.name


def test_levels_from_the_variances_stand_beside_the_best_hand_made_grid(network: UNet2DModel, tmp_path: Path) -> None:
    one = make_basis(64, [3.0, 1.0, 0.5], 0)
    basis = Eigenbasis(one.mean, one.vectors, one.variances, one.total_variance, (1, 8, 8))
    save_basis(StoredBasis.of(basis, "three components"), tmp_path / "basis.safetensors")
    denoisers.save_pipeline(network, DDIMScheduler(clip_sample=False), tmp_path / "network")
    (row,) = optimal_grid.compare(tmp_path / "basis.safetensors", tmp_path / "network", 3, 4, "euler", (4,))
    steps, _, on_gaussian, _, on_network, interval = row
    low, high = map(float, interval.split(" to "))
    assert steps == "4" and float(on_gaussian) < 1 and low <= float(on_network) <= high


def test_the_relative_sampler_stands_beside_the_best_of_all_others(
    network: UNet2DModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_basis(64, [3.0, 1.0, 0.5], 0)
    basis = Eigenbasis(one.mean, one.vectors, one.variances, one.total_variance, (1, 8, 8))
    save_basis(StoredBasis.of(basis, "three components"), tmp_path / "basis.safetensors")
    denoisers.save_pipeline(network, DDIMScheduler(clip_sample=False), tmp_path / "network")
    monkeypatch.setattr(few_calls, "CALLS", (3,))
    task = few_calls.make_task(tmp_path / "basis.safetensors", tmp_path / "network", 16, 8)
    (row,) = few_calls.compare(task, 2)
    calls, peer, grid, theirs, ours, ratio, interval, *_ = row
    low, high = map(float, interval.split(" to "))
    assert calls == "3" and peer in few_calls.PEERS and grid != "covariance"
    assert float(ratio) == pytest.approx(float(ours) / float(theirs), rel=0.02) and low <= float(ratio) <= high


def test_the_relative_sampler_s_own_cost_stands_beside_as_many_calls_for_as_many_images() -> None:
    called: list[int] = []

    class Network(UNet2DModel):  # type: ignore[misc]  # diffusers has no types
        def forward(self, images: Any, times: Any) -> None:  # noqa: ARG002
            called.append(len(images))

    network = Network(**SMALL)
    basis = make_basis(64, [3.0, 1.0, 0.5], 0)
    found = relative.cost(basis, 8, relative.Peer("a network", network, 4), pairs=2)
    assert called == [4, 4, 4]
    assert found.name == "relative, 6 steps, 64 pixels, 8 images, rank 3"
    assert found.peer == "6 calls of a network (2 x 4 images)"
    assert found.low <= found.value <= found.high
