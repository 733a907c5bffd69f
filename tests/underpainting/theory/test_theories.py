"""The rows of theories and jumps: what each says of itself holds, and each can be made from the artifacts that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from underpainting.basis import eigenbasis
from underpainting.io import artifacts
from underpainting.noise.levels import vp_level
from underpainting.teleport import jumps
from underpainting.teleport.registry import JUMPS, kind_of
from underpainting.theory import loading, mixtures
from underpainting.theory.theories import COMPARED, NULL, THEORIES

SHAPE = (1, 4, 4)
SOURCE, TARGET = vp_level(80.0), vp_level(0.9)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """An artifact of each kind, of forty images."""
    found: dict[str, Any] = {kind: str(tmp_path / f"{kind}.zarr.zip") for kind in ("dataset", "eigenbasis", "mixture")}
    pixels = np.random.default_rng(0).integers(0, 256, (40, *SHAPE), np.uint8)
    images = pixels / 127.5 - 1
    basis = eigenbasis.basis_of_images(images.reshape(40, -1), SHAPE)
    eigenbasis.save(basis, found["eigenbasis"])
    mixtures.save(mixtures.Mixture.of_basis(basis), found["mixture"])
    artifacts.save(artifacts_of(images.astype(np.float32)), found["dataset"])
    return {**found, "samples": [found["dataset"]]}


def artifacts_of(images: np.ndarray[Any, Any]) -> xr.Dataset:
    return xr.Dataset({"images": artifacts.image_array(images, ("sample", *artifacts.IMAGE_DIMS), "images")})


def noise() -> torch.Tensor:
    return torch.randn(3, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", THEORIES)
def test_a_theory_is_loaded_and_has_a_closed_form_if_its_row_says_so(name: str, files: dict[str, Any]) -> None:
    denoiser = loading.load(name, files)
    assert hasattr(denoiser, "state") == THEORIES[name].closed_form
    endpoint = denoiser(noise(), *TARGET)
    assert endpoint.shape == (3, *SHAPE)
    assert endpoint.abs().max() < 2


def test_a_null_model_is_compared_with_its_theory_alone() -> None:
    assert {theory.null for theory in THEORIES.values()} - {""} == {NULL}
    assert {*COMPARED} == {*THEORIES} - {NULL}


def test_an_unknown_theory_is_refused() -> None:
    with pytest.raises(
        ValueError, match="unknown theory 'student'; known are gaussian, mixture, point_cloud, isotropic"
    ):
        loading.load("student", {})


@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_is_made_and_lands_where_the_flow_of_its_theory_does(name: str, files: dict[str, Any]) -> None:
    kind = JUMPS[name]
    model = loading.READERS[kind.reads](files[kind.reads])
    denoiser = loading.denoiser_of(kind.theory, model, 5 if kind.ranked else None)
    found = jumps.of_theory(denoiser)(noise() * SOURCE.sigma, SOURCE, TARGET)
    assert (found - jumps.FlowJump(denoiser)(noise() * SOURCE.sigma, SOURCE, TARGET)).abs().max() < 1e-3


def test_a_rank_is_part_of_a_jumps_id() -> None:
    assert kind_of("lowrank16") is JUMPS["lowrank"]
    assert all(kind_of(name) is kind for name, kind in JUMPS.items())
