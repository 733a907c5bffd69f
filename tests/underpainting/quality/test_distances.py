"""Distances of generated images in every set of features, and which real images these are compared with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from scripts import extract_features
from scripts.tabulate_teleport import FEATURE_COLUMNS
from underpainting.io import artifacts
from underpainting.quality import distances, extractors, fidelity, frechet, held_out

RESAMPLES = 20
COLUMNS = ["fd", "fd_low", "fd_high", "fd_infinite", "fd_infinite_low", "fd_infinite_high", "floor", "floor_infinite"]


def features(seed: int, count: int = 80, shift: float = 0.0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "": random.standard_normal((count, 5)) + shift,
        "autoencoder_": 3 * random.standard_normal((count, 4)) + shift,
    }


def real(count: int = 120) -> dict[str, distances.Reference]:
    return {prefix: distances.Reference(values) for prefix, values in features(9, count).items()}


def test_columns_are_complete_and_what_their_names_say() -> None:
    generated, reference = features(0, shift=0.4), real()
    found = distances.measure_distances(generated, reference, RESAMPLES)
    columns = found.columns()
    assert list(columns) == [f"{prefix}{name}" for prefix in extractors.FEATURES for name in COLUMNS]
    assert all(isinstance(value, float) for value in columns.values())
    for prefix, values in generated.items():
        assert columns[f"{prefix}fd"] == pytest.approx(
            fidelity.frechet_distance(values, reference[prefix].features), rel=1e-6
        )
        assert columns[f"{prefix}fd_low"] < columns[f"{prefix}fd"] < columns[f"{prefix}fd_high"]
        assert columns[f"{prefix}fd_infinite"] < columns[f"{prefix}fd"]
        own = frechet.estimate_floor(reference[prefix].features, 80)
        assert (columns[f"{prefix}floor"], columns[f"{prefix}floor_infinite"]) == (own.at_n, own.infinite)
        assert own.infinite < own.at_n < columns[f"{prefix}fd"]


def test_the_table_has_a_place_for_each_of_them() -> None:
    columns = distances.measure_distances(features(0), real(), RESAMPLES).columns()
    assert {name.removesuffix("_low").removesuffix("_high") for name in columns} == {
        f"{prefix}{name}"
        for prefix in extractors.FEATURES
        for name in FEATURE_COLUMNS
        if name not in ("loss", "behind")
    }


def test_a_set_loses_nothing_against_itself() -> None:
    found = distances.measure_distances(features(0, shift=0.4), real(), RESAMPLES)
    assert found.losses(found, "loss") == {
        f"{prefix}loss{end}": 0.0 for prefix in ("", "autoencoder_") for end in ("", "_low", "_high")
    }


def test_a_worse_set_loses_in_the_features_where_it_is_worse() -> None:
    good, worse = features(0, 400, 0.4), features(0, 400, 0.4)
    worse["autoencoder_"] = worse["autoencoder_"] + 2
    found, reference = (distances.measure_distances(values, real(400), RESAMPLES) for values in (worse, good))
    losses = found.losses(reference, "behind")
    assert losses["behind"] == losses["behind_low"] == losses["behind_high"] == 0
    assert losses["autoencoder_behind_low"] > 1


def test_what_is_below_the_floor_is_no_better_than_the_floor() -> None:
    """Images drawn from the reference itself have a distance below that of other real images."""
    reference = real(400)
    near = {prefix: one.features[:300] for prefix, one in reference.items()}
    nearer = {prefix: one.features[100:] for prefix, one in reference.items()}
    measured = [distances.measure_distances(values, reference, RESAMPLES) for values in (near, nearer)]
    assert all(one.distances[""].infinite < one.floors[""].infinite for one in measured)
    assert measured[0].losses(measured[1], "loss")["loss"] == 0


def constant(*_: Any) -> SimpleNamespace:
    """Extractors of a study that give the mean of each image, times a factor."""
    found = {
        name: lambda images, factor=factor: factor * images.float().mean((2, 3)) for factor, name in enumerate(NAMES, 1)
    }
    return SimpleNamespace(load=lambda: found)


NAMES = list(extractors.FEATURES.values())


@pytest.mark.parametrize("name", [extractors.INCEPTION, "classifier"])
def test_inception_is_compared_with_all_and_trained_features_with_images_held_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract_features, "Extractors", constant)
    values = torch.linspace(-1, 1, 41)[:, None, None, None].expand(41, 1, 2, 2).numpy()
    data = artifacts.image_array(values, ("sample", *artifacts.IMAGE_DIMS), "images")
    artifacts.save(xr.Dataset({"images": data}), tmp_path / "dataset.zarr.zip", {})
    output, config = str(tmp_path / "real.zarr.zip"), {"reference": True, "extractor": name}
    extract_features.main(str(tmp_path / "dataset.zarr.zip"), None, "", output, "tiny", config)
    held = held_out.held_out_indices(41)
    every = fidelity.to_bytes(torch.from_numpy(values))[:, 0, 0, :1].float().numpy()
    chosen = np.arange(41) if name == extractors.INCEPTION else held
    found = distances.load_references(output)
    np.testing.assert_allclose(found[""].features, every[chosen])
    np.testing.assert_allclose(found["autoencoder_"].features, 2 * every[held])


def test_features_of_shards_are_one_behind_the_other() -> None:
    shards = [
        xr.Dataset({name: (("sample", f"{name}_"), np.full((2, 3), float(number))) for name in NAMES})
        for number in range(3)
    ]
    found = distances.concatenate_features(shards, 5)
    assert list(found) == list(extractors.FEATURES)
    assert found["autoencoder_"][:, 0].tolist() == [0, 0, 1, 1, 2]
