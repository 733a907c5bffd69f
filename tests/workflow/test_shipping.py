"""The tools that make pages and shipped networks from artifacts."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
import yaml
from PIL import Image

from tests.workflow.project import ROOT, Project
from underpainting import denoisers
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts

sys.path.insert(0, str(ROOT / "workflow"))

import gallery
import ship
import study_pages


def test_the_gallery_shows_what_the_artifacts_hold(copy: Project) -> None:
    gallery.main(copy.folder)
    page = (copy.folder / "docs/results.md").read_text(encoding="utf-8")
    claims = (copy.folder / "results/tiny/claims.csv").read_text(encoding="utf-8").splitlines()
    assert "## Tiny &lt;script&gt;" in page
    assert page.count("| Sec. ") + page.count("| Eq. ") > 15
    assert len(claims) > 20
    pictures = sorted((copy.folder / "docs/pictures/tiny").glob("*.png"))
    assert {picture.name for picture in pictures} >= {"fig16_models.png", "fig_early_checkpoints.png"}
    assert all(f"pictures/tiny/{picture.name}" in page for picture in pictures)
    with Image.open(pictures[0]) as picture:
        assert picture.width == gallery.WIDTH


def test_pages_of_studies_stand_alone_in_the_documents(copy: Project) -> None:
    (copy.folder / "docs/pages").mkdir(parents=True)
    (copy.folder / "docs/pages/other.html").write_text("<title>Another &amp; one</title>")
    study_pages.main(copy.folder)
    page = (copy.folder / "docs/pages/tiny.html").read_text("utf-8")
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert targets and all(target.startswith(("data:", "#", "https:")) for target in targets)
    listed = (copy.folder / "docs/pages.md").read_text("utf-8")
    assert "(pages/tiny.html)" in listed and "[Another & one](pages/other.html)" in listed


def test_nothing_built_is_said_and_not_shown_as_an_empty_page(fresh: Project) -> None:
    with pytest.raises(SystemExit, match="run `make run` first"):
        gallery.main(fresh.folder)
    assert not (fresh.folder / "docs").exists()


def shipping(copy: Project, **changes: Any) -> None:
    study = copy.study()
    study["denoiser"].update(folder="config/networks/tiny", **changes)
    copy.file.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")


def test_a_trained_network_becomes_one_that_ships(copy: Project) -> None:
    shipping(copy)
    ship.main("tiny", copy.folder)
    target = copy.folder / "config/networks/tiny"
    card = (target / "README.md").read_text(encoding="utf-8")
    assert artifacts.digest(target / "unet/diffusion_pytorch_model.safetensors") in card
    assert "200 images of 1 x 8 x 8" in card
    assert not list(target.rglob("*.zarr.zip"))
    assert denoisers.load_denoiser(target, Compute("cpu"))[0].image_shape == (1, 8, 8)


def test_a_network_without_a_folder_to_ship_to_is_told(copy: Project) -> None:
    with pytest.raises(SystemExit, match=r"name denoiser\.folder"):
        ship.main("tiny", copy.folder)
