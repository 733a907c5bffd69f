"""The page of claims and the tables of geometry, from small tables and artifacts."""

from __future__ import annotations

from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from scripts import collect_metrics, measure_geometry, tabulate_geometry, tabulate_studies
from underpainting.analysis.statistics import Interval
from underpainting.io import artifacts
from underpainting_workflow.claims import Claim, exact, page
from underpainting_workflow.claims.claim import of_interval, of_number


def table() -> pd.DataFrame:
    interval = Interval(*(np.asarray(end) for end in (0.1, 0.05, 0.2)), n=9)
    rows = [
        *[of_interval("small", "Sec. 1", "0.1", interval, at_most=0.5, null=exact("one", 1.0))] * 3,
        of_number("also", "Sec. 2", "", 0.1, 9, at_most=0.5),
    ]
    return pd.DataFrame(rows, columns=Claim._fields)


def test_the_page_shows_intervals_and_exact_nulls() -> None:
    shown = page.shown(table())
    assert list(shown.columns) == list(page.HEADINGS.values())
    first, last = shown.iloc[0], shown.iloc[-1]
    assert (first["95 % interval"], first["Null value"], first["Its 95 % interval"]) == ("0.05 to 0.2", "1", "")
    assert (last["95 % interval"], last["Null value"], last["Null model"]) == ("", "", "")


def test_rows_that_would_fail_by_chance_are_counted() -> None:
    assert page.chance(pd.concat([table()] * 20)).startswith("Of the 80 rows, 60 are judged by an interval.")
    assert "2.5% of them, 1.5, would be `no` by chance" in page.chance(pd.concat([table()] * 20))


def walked(first: int, count: int) -> xr.Dataset:
    """Trajectories of so many seeds, each the same whatever the shard."""
    states = np.stack(
        [np.random.default_rng(first + seed).standard_normal((7, 1, 3, 3)).cumsum(0) for seed in range(count)]
    )
    dims = ("sample", "step", *artifacts.IMAGE_DIMS)
    return xr.Dataset(
        {
            "state": artifacts.array(states.astype(np.float32), dims, "state"),
            "endpoint": artifacts.array((states * 0.9).astype(np.float32), dims, "endpoint estimate"),
            "seed": artifacts.array(np.arange(first, first + count), "sample", "seed"),
            "alpha": artifacts.array(np.linspace(0, 1, 7), "step", "signal scale"),
            "sigma": artifacts.array(np.linspace(1, 0, 7), "step", "noise scale"),
        }
    )


@pytest.fixture(scope="module")
def geometries(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The geometry of the same six trajectories, from one shard and from two."""
    folder, found = tmp_path_factory.mktemp("geometry"), []
    for number, parts in enumerate([[(0, 6)], [(0, 1), (1, 5)]]):
        files = [folder / f"{number}_{first}.zarr.zip" for first, _ in parts]
        for file, (first, count) in zip(files, parts, strict=True):
            artifacts.save(walked(first, count), file)
        found.append(folder / f"{number}.zarr.zip")
        measure_geometry.main([str(file) for file in files], str(found[-1]), "tiny")
    return found


def test_geometry_and_its_nulls_do_not_depend_on_the_shards(geometries: list[Path]) -> None:
    one, two = (artifacts.load(file) for file in geometries)
    nulls = [str(name) for name in one if str(name).startswith("null_")]
    assert len(nulls) == 7
    for name in [*nulls, "rotation_caption", "top2_variance"]:
        np.testing.assert_allclose(one[name].values, two[name].values, rtol=1e-9, err_msg=name)
    assert (one["null_plane"] != one["plane"]).all(), "every trajectory has another one's image"


def test_tables_of_geometry_keep_both_definitions(geometries: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "tiny" / "geometry.csv"
    file.parent.mkdir()
    tabulate_geometry.main([str(geometries[0])], str(file), str(tmp_path / "geometry.html"))
    row, data = pd.read_csv(file).iloc[0], artifacts.load(geometries[0])
    for name in tabulate_geometry.RESIDUALS:
        assert row[f"residual_{name}"] == pytest.approx(float(data[name].mean()))
    assert row["dim_noise_median"] == np.median(data["dim_noise"])
    assert set(collect_metrics.RESIDUALS) == {f"residual_{name}" for name in tabulate_geometry.RESIDUALS}
    together = tabulate_studies.gather({"tiny": str(file)}, {"tiny": "ddpm-mnist"})
    printed = together[together["study"] == "ddpm-mnist (paper)"].iloc[0]
    assert (printed["residual_rotation_caption"], printed["residual_top2"], printed["dim_noise_median"]) == (
        0.017,
        0.0008,
        8,
    )
    assert np.isnan([printed["residual_rotation"], printed["residual_top2_variance"]]).all(), (
        "the caption has one of each"
    )


def test_claims_without_a_null_have_none() -> None:
    row = of_number("a claim", "Sec. 1", "", 0.1, 9, at_most=0.5)
    assert (row.null_model, row.reproduced) == ("", "undecided")  # what nothing was compared with shows nothing
    assert of_number("a claim", "Sec. 1", "", 0.9, 9, at_most=0.5).reproduced == "no"
    np.testing.assert_array_equal([row.null, row.null_low, row.null_high], nan)
