"""The scripts that compare images with the network's own: which seed stands beside which, and what is compared with what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from scripts import measure_fidelity, measure_low_nfe, sample_low_nfe
from underpainting.io import artifacts
from underpainting.quality import distances, reference_solution


def pictures(seeds: range, offset: float = 0.0) -> np.ndarray:
    """Each is told by its seed."""
    values = [np.random.default_rng(seed).uniform(-0.5, 0.5, (1, 2, 2)) for seed in seeds]
    return np.stack(values).astype(np.float32) + np.float32(offset)


def stored(path: Path, seeds: range, offset: float = 0.0) -> str:
    dims = ("sample", *artifacts.IMAGE_DIMS)
    images = artifacts.image_array(pictures(seeds, offset), dims, "images")
    seed = artifacts.array(np.asarray(seeds, np.int64), "sample", "seed")
    artifacts.save(xr.Dataset({"images": images, "seed": seed}), path, {})
    return str(path)


def files(tmp_path: Path, seeds: list[range], offset: float, plain: list[range]) -> dict[str, Any]:
    """Images that differ by `offset` from the network's own of the seeds 2 to 8; without a jump, by a tenth."""
    return {
        "solution": stored(tmp_path / "solution.zarr.zip", range(2, 9)),
        "samples": [stored(tmp_path / f"{part.start}.zarr.zip", part, offset) for part in seeds],
        "plain_samples": [stored(tmp_path / f"plain_{part.start}.zarr.zip", part, 0.1) for part in plain],
    }


def test_images_are_compared_by_their_seeds(tmp_path: Path) -> None:
    found = files(tmp_path, [range(4), range(4, 12)], 0.2, [])
    errors = measure_fidelity.from_network(found["samples"], found["solution"])
    np.testing.assert_allclose(errors, np.full(7, 0.04), rtol=1e-4)
    by_seed = sample_low_nfe.solved(found["solution"])
    beside = sample_low_nfe.from_network(list(range(7, 12)), torch.from_numpy(pictures(range(7, 12), 0.2)), by_seed)
    np.testing.assert_allclose(beside, [0.04, 0.04, np.nan, np.nan, np.nan], rtol=1e-4)


def test_fewer_images_are_compared_with_as_many_without_a_jump(tmp_path: Path) -> None:
    """As those of the null model are."""
    found = measure_fidelity.network_columns(
        **files(tmp_path, [range(5)], 0.2, [range(4), range(4, 12)]), skipped_steps=3
    )
    assert found["rmse_to_network"] == pytest.approx(0.2, rel=1e-3)
    assert found["network_loss"] == pytest.approx(1.0, rel=1e-3)
    assert set(found) == {
        f"{name}{end}" for name in ("rmse_to_network", "network_loss") for end in ("", "_low", "_high")
    }


def test_nothing_skipped_loses_nothing_and_without_it_no_loss_is_known(tmp_path: Path) -> None:
    own = measure_fidelity.network_columns(**files(tmp_path, [range(12)], 0.1, []), skipped_steps=0)
    assert [own[f"network_loss{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]
    alone = measure_fidelity.network_columns(**files(tmp_path, [range(12)], 0.1, []), skipped_steps=3)
    assert set(alone) == {"rmse_to_network", "rmse_to_network_low", "rmse_to_network_high"}


def low_nfe_row(
    steps: int, jump: str, shift: float, real: dict[str, distances.Reference], errors: Any
) -> measure_low_nfe.Row:
    random = np.random.default_rng(0)
    features = {prefix: random.standard_normal((60, 3)) + shift for prefix in real}
    found = distances.measure_distances(features, real, 20)
    return measure_low_nfe.Row({"steps": steps, "jump": jump}, found, errors)


def test_a_jump_is_compared_with_as_many_steps_and_with_the_plain_run() -> None:
    random = np.random.default_rng(1)
    real = {prefix: distances.Reference(random.standard_normal((80, 3))) for prefix in ("", "autoencoder_")}
    errors = random.gamma(2.0, 0.01, 9)
    shifts = {(5, "none"): (2.0, errors), (5, "mixture"): (1.0, 0.25 * errors), (50, "none"): (0.5, errors[:0])}
    rows = [low_nfe_row(*run, shift, real, few) for run, (shift, few) in shifts.items()]
    plain, jumped, many = (measure_low_nfe.compared(row, rows, 50) for row in rows)
    assert plain["loss"] == plain["network_loss"] == many["loss"] == many["behind"] == many["behind_high"] == 0
    assert jumped["network_loss"] == pytest.approx(-0.5)
    assert jumped["loss"] < -0.5 and jumped["autoencoder_loss"] < -0.5
    assert jumped["behind"] > 1 and "network_loss" not in many
    ratio = rows[1].found.distances[""].infinite / rows[0].found.distances[""].infinite
    assert jumped["loss"] == pytest.approx(ratio - 1)
    assert "behind" not in measure_low_nfe.compared(rows[1], rows, None)


def test_losses_count_from_the_best_grid() -> None:
    """Else a jump would seem to help where it mends what a bad grid spoils."""
    random = np.random.default_rng(1)
    real = {prefix: distances.Reference(random.standard_normal((80, 3))) for prefix in ("", "autoencoder_")}
    errors = random.gamma(2.0, 0.01, 9)
    bad, good, jumped = (
        low_nfe_row(5, jump, shift, real, errors) for jump, shift in (("none", 3.0), ("none", 1.0), ("mixture", 2.0))
    )
    found = [measure_low_nfe.compared(row, [bad, good, jumped], None)["loss"] for row in (bad, good, jumped)]
    assert found[0] > found[2] > found[1] == 0


def test_differences_are_those_of_the_library(tmp_path: Path) -> None:
    found = files(tmp_path, [range(12)], 0.0, [])
    stored(Path(found["samples"][0]), range(100, 112))
    moved = artifacts.load(found["samples"][0]).assign(seed=("sample", np.arange(12)))
    expected = reference_solution.squared_errors(
        torch.from_numpy(moved["images"].values[2:9]), torch.from_numpy(pictures(range(2, 9)))
    )
    seeds = artifacts.array(np.arange(12), "sample", "seed")
    artifacts.save(moved.load().assign(seed=seeds), tmp_path / "other.zarr.zip", {})
    errors = measure_fidelity.from_network([str(tmp_path / "other.zarr.zip")], found["solution"])
    np.testing.assert_allclose(errors, expected)
    assert errors.min() > 0
