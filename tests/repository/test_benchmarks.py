"""The table of benchmarks: each row is printed as soon as it is measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from benchmarks import choice, class_bases, coverage, few_calls, optimal_grid, relative
from benchmarks.measure import Ratio, print_each, table
from scripts import extract_features
from tests.helpers.bases import make_basis
from tests.helpers.pipelines import SMALL
from underpainting import denoisers
from underpainting.analysis.statistics import Interval
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import StoredBasis, save_basis
from underpainting.io import artifacts
from underpainting.quality import autoencoder, classifier, frechet
from underpainting.quality.autoencoder import AutoencoderShape
from underpainting.quality.feature_networks import Trained
from underpainting.quality.frechet import RealMoments
from underpainting.teleport.choice import candidates
from underpainting.training import objectives


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


@pytest.fixture
def saved(network: UNet2DModel, tmp_path: Path) -> tuple[Path, Path]:
    """A basis of three components, and a network of the same images."""
    one = make_basis(64, [3.0, 1.0, 0.5], 0)
    basis = Eigenbasis(one.mean, one.vectors, one.variances, one.total_variance, (1, 8, 8))
    save_basis(StoredBasis.of(basis, "three components"), tmp_path / "basis.safetensors")
    denoisers.save_pipeline(network, DDIMScheduler(clip_sample=False), tmp_path / "network")
    return tmp_path / "basis.safetensors", tmp_path / "network"


def test_levels_from_the_variances_stand_beside_the_best_hand_made_grid(saved: tuple[Path, Path]) -> None:
    (row,) = optimal_grid.compare(*saved, 3, 4, "euler", (4,))
    steps, _, on_gaussian, _, on_network, interval = row
    low, high = map(float, interval.split(" to "))
    assert steps == "4" and float(on_gaussian) < 1 and low <= float(on_network) <= high


def test_the_relative_sampler_stands_beside_the_best_of_all_others(
    saved: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(few_calls, "CALLS", (3,))
    ((row, distances),) = few_calls.compare(few_calls.make_task(*saved, 16, 8), 2)
    calls, peer, grid, theirs, ours, ratio, interval, *_ = row
    low, high = map(float, interval.split(" to "))
    assert calls == "3" and peer in few_calls.PEERS and grid != "covariance" and not distances
    assert float(ratio) == pytest.approx(float(ours) / float(theirs), rel=0.02) and low <= float(ratio) <= high


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """What a study has of its extractors: their networks, untrained, and their features of real images."""
    shapes = classifier.ClassifierShape(1, 3, 8, 6), AutoencoderShape(1, 8, 4, 5)
    classifier.save(Trained(classifier.Classifier(shapes[0]).eval(), 0.5), tmp_path / "classifier.safetensors")
    autoencoder.save(Trained(autoencoder.Autoencoder(shapes[1]).eval(), 0.5), tmp_path / "autoencoder.safetensors")
    drawn = np.random.default_rng(0).uniform(-1, 1, (60, 1, 8, 8)).astype(np.float32)
    images = artifacts.image_array(drawn, ("sample", *artifacts.IMAGE_DIMS), "images")
    artifacts.save(xr.Dataset({"images": images}), tmp_path / "dataset.zarr.zip")
    files = [str(tmp_path / name) for name in ("dataset.zarr.zip", "classifier.safetensors", "autoencoder.safetensors")]
    config = {"reference": True, "extractor": "classifier"}
    extract_features.main(*files, str(tmp_path / "reference_features.zarr.zip"), "tiny", config)
    return tmp_path


def test_distances_in_both_sets_of_features_are_compared_with_those_of_the_best_finalist(
    saved: tuple[Path, Path], study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(few_calls, "CALLS", (3,))
    monkeypatch.setattr(few_calls, "BATCH", 16)  # batches of 16, 8: what is judged are the images of all
    task = few_calls.make_task(*saved, 8, 8, few_calls.Judge.of_study(study, 24))
    ((_, distances),) = few_calls.compare(task, 2)
    assert "own solutions, 8 images: classifier " in few_calls.own_distances(task)
    assert [row[:2] for row in distances] == [["3", "classifier"], ["3", "autoencoder"]]
    for _, prefix, peer, grid, theirs, ours, difference, interval, floor in distances:
        low, high = map(float, interval.split(" to "))
        prefix = prefix.replace("classifier", "").replace("autoencoder", "autoencoder_")
        judge = task.judge
        assert judge is not None
        found = few_calls.measure_peer(task, 3, (peer, grid))
        assert found.distances is not None and len(found.errors) == 8
        assert float(theirs) == pytest.approx(found.distances.distances[prefix].infinite, abs=1e-4)
        assert float(difference) == pytest.approx(float(ours) - float(theirs), abs=2e-4)
        assert low <= float(difference) <= high
        assert float(floor) == pytest.approx(judge.references[prefix].floor(24).infinite, abs=1e-4)


def test_a_choice_stands_beside_the_best_of_all_candidates(
    saved: tuple[Path, Path], study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "CALLS", (2,))
    task = few_calls.make_task(*saved, 12, 8, few_calls.Judge.of_study(study, 16))
    ((row, distances),) = choice.compare(task, 6)
    calls, spent, *chosen, rmse, sampler, grid, jump, least, ratio, interval = row
    found = {choice.name_of(one): choice.measure(task, one) for one in candidates(task.schedule, task.basis, 2)}
    errors = {name: float(np.sqrt(one.errors.mean())) for name, one in found.items()}
    assert calls == "2" and 16 < float(spent) <= 20 and (sampler, grid, jump) == min(errors, key=errors.__getitem__)
    assert float(rmse) == pytest.approx(errors[tuple(chosen)], abs=1e-4)
    assert float(least) == pytest.approx(min(errors.values()), abs=1e-4)
    low, high = map(float, interval.split(" to "))
    assert float(ratio) >= 1 and low <= float(ratio) <= high
    assert len(distances) == 2 and all(float(cells[7]) >= 0 for cells in distances)


def test_the_difference_of_two_distances_is_paired() -> None:
    random = np.random.default_rng(0)
    real, one = RealMoments.of(random.standard_normal((100, 3))), random.standard_normal((80, 3))
    first, second = (frechet.bootstrap(features, real) for features in (one, one + 0.5))
    assert few_calls.difference_interval(first, first) == (0, 0)
    low, high = few_calls.difference_interval(first, second)
    assert high - low < np.ptp(first.infinite_interval()) + np.ptp(second.infinite_interval())
    assert low < first.infinite - second.infinite < high < 0


def test_bases_of_classes_stand_beside_one_of_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_bases, "CALLS", (2,))
    images, labels = class_bases.digits()
    scheduler = objectives.make_schedule("v_prediction", class_bases.VP, {})
    network = class_bases.trained(images, labels, scheduler, 2)
    with torch.inference_mode():
        (row,) = class_bases.compare(images, labels, network, scheduler, 20, 4)
    calls, one, other, ratio, interval = row
    low, high = map(float, interval.split(" to "))
    assert calls == "2" and one != other and low <= float(ratio) <= high


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
