"""Snakemake itself refuses bad input before any job starts, in one plain message."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.workflow.project import Project


def unknown_key(project: Project) -> None:
    study = project.study()
    study["teleport"]["skipps"] = [0]
    project.write(study)


def corrupt_image(project: Project) -> None:
    study = project.study()
    study["dataset"] = {"source": "folder", "path": "images", "image_size": 8, "channels": 1}
    project.write(study)
    for index in range(24):
        place = project.folder / "images" / f"class{index % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(place / f"{index}.png")
    (project.folder / "images" / "class1" / "5.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")


def unknown_study(project: Project) -> None:
    (project.folder / "config/config.yaml").write_text("studies: [tyni]\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unknown_key, "config/studies/tiny.yaml: teleport.skipps: unknown key. Remedy: did you mean 'skips'?"),
        (corrupt_image, "config/studies/tiny.yaml: dataset.path: the image images/class1/5.png is corrupt"),
        (unknown_study, "config/config.yaml: studies: there is no study file config/studies/tyni.yaml. Remedy: "),
    ],
)
def test_bad_input_is_refused_before_any_job(fresh: Project, spoil: Callable[[Project], None], message: str) -> None:
    spoil(fresh)
    result = fresh.run("all")
    assert result.returncode != 0
    assert message in result.stdout
    assert "Traceback" not in result.stdout
    assert "rule prepare_dataset" not in result.stdout
    assert not (fresh.folder / "results").exists()
