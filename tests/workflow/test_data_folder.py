"""Where the data lie: `{data}`, moved from one folder to another."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workflow.project import Project
from underpainting.io import artifacts

DATASET = "results/tiny/dataset.zarr.zip"


def with_npz(project: Project, folder: str) -> None:
    """The tiny study on 40 images of two classes in an npz file of the data folder."""
    place = project.folder / folder
    place.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    np.savez(place / "images.npz", images=images, labels=np.arange(40) % 2)
    study = project.study()
    npz = {"source": "npz", "path": "{data}/images.npz", "labels_key": "labels"}
    study["dataset"] = {**npz, "image_size": 8, "channels": 1}
    project.write(study)


def test_moved_data_are_the_same_data(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with_npz(fresh, "one place")
    monkeypatch.setenv("UNDERPAINTING_DATA", "one place")
    fresh.build(DATASET)
    assert fresh.planned(DATASET) == {}
    assert len(artifacts.load(fresh.folder / DATASET)["images"]) == 40
    assert b"one place" not in (fresh.folder / DATASET).read_bytes()

    (fresh.folder / "one place").rename(fresh.folder / "another")
    assert fresh.planned(DATASET, "--config", "data=another") == {}
    manifest = (fresh.folder / "workflow/provenance/tiny.jsonl").read_text()
    assert "{data}/images.npz" in manifest and "one place" not in manifest


def test_data_in_no_folder_are_missed_before_any_job(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with_npz(fresh, "data")
    monkeypatch.delenv("UNDERPAINTING_DATA", raising=False)
    assert fresh.planned(DATASET) == {"prepare_dataset": 1}
    result = fresh.run(DATASET, "--config", "data=nowhere")
    assert "config/studies/tiny.yaml: dataset.path: there is no file nowhere/images.npz" in result.stdout
    assert not (fresh.folder / "results").exists()
