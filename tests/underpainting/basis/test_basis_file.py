"""A basis as a file: what is written is read again, what does not fit is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.helpers.bases import make_basis
from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import BasisFileError, LatentSpace, StoredBasis, from_artifacts, load_basis, save_basis
from underpainting.io import artifacts
from underpainting.noise.levels import NoiseLevel
from underpainting.theory import gaussian

BEFORE_LATENTS = "e1b09d47cfb9645a69639923e6a23c97ab527cf52b3cdcdb4646bf24709eb784"


def stored(basis: Eigenbasis) -> StoredBasis:
    classes = [make_basis(basis.pixels, [2.0, 1.0], seed) for seed in (1, 2)]
    moved = [Eigenbasis(one.mean, one.vectors, one.variances, 3.0, basis.image_shape) for one in classes]
    return StoredBasis.of(basis, "noise", moved, count=7, method="dense", data_digest="ab")


def equal(one: Eigenbasis, other: Eigenbasis) -> bool:
    parts = ("mean", "vectors", "variances")
    same = all(torch.equal(getattr(one, part), getattr(other, part)) for part in parts)
    return same and (one.total_variance, one.image_shape) == (other.total_variance, other.image_shape)


def respoken(path: Path, **changes: object) -> Path:
    """The same tensors under another card."""
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["underpainting"])
        tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    save_file(tensors, path, {"underpainting": json.dumps({**card, **changes})})
    return path


def test_a_basis_comes_back_as_it_was_with_classes_and_card(basis: Eigenbasis, tmp_path: Path) -> None:
    save_basis(stored(basis), tmp_path / "b.safetensors")
    found = load_basis(tmp_path / "b.safetensors")
    assert equal(found.all_images, basis)
    assert all(equal(*pair) for pair in zip(found.classes, stored(basis).classes, strict=True))
    assert (found.card.count, found.card.rank, found.card.image_range) == (7, 5, (-1.0, 1.0))
    assert found.card.explained_variance == pytest.approx(1)
    assert found.card == stored(basis).card


def test_the_same_basis_gives_the_same_bytes(basis: Eigenbasis, tmp_path: Path) -> None:
    for name in "ab":
        save_basis(stored(basis), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_half_the_size_moves_a_jump_by_rounding_alone(tmp_path: Path) -> None:
    basis = make_basis(300, torch.logspace(1, -6, 300).tolist(), 0)
    images = torch.randn(4, 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kept = save_basis(StoredBasis.of(basis, "noise"), tmp_path / "b", "float32")
    found = load_basis(tmp_path / "b")
    assert equal(found.all_images, kept.all_images) and found.card == kept.card
    assert (tmp_path / "b").stat().st_size < 0.6 * 8 * basis.vectors.numel()
    levels = NoiseLevel(0.01, 1.0), NoiseLevel(0.6, 0.8)
    difference = gaussian.state(found.all_images, images, *levels) - gaussian.state(basis, images, *levels)
    assert 0 < difference.abs().max() < 2e-6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_range": [0, 1]}, r"images in \[0, 1\], but networks work in \[-1.0, 1.0\]; compute it again"),
        (
            {"format": "underpainting.basis/9"},
            r"holds 'underpainting.basis/9', this version reads 'underpainting.basis/1'",
        ),
        ({"digest": "0"}, "not those that its card was written for"),
    ],
)
def test_what_the_card_says_is_held_against_the_reader(
    basis: Eigenbasis, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    save_basis(stored(basis), tmp_path / "b")
    with pytest.raises(BasisFileError, match=message):
        load_basis(respoken(tmp_path / "b", **changes))


def test_a_flipped_byte_is_noticed(basis: Eigenbasis, tmp_path: Path) -> None:
    file = tmp_path / "b"
    save_basis(stored(basis), file)
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(BasisFileError, match="not those that its card was written for"):
        load_basis(file)


def test_what_is_no_basis_is_named(tmp_path: Path) -> None:
    with pytest.raises(BasisFileError, match="there is no such file; make the file again with `underpainting basis`"):
        load_basis(tmp_path / "b")
    (tmp_path / "b").write_bytes(b"no tensors")
    with pytest.raises(BasisFileError, match="not a readable safetensors file"):
        load_basis(tmp_path / "b")
    save_file({"x": torch.zeros(1)}, tmp_path / "b")
    with pytest.raises(BasisFileError, match="no card of a basis"):
        load_basis(tmp_path / "b")


def test_a_file_of_pixels_has_the_bytes_that_it_had_before_there_were_latents(tmp_path: Path) -> None:
    axes, variances = torch.eye(4, 2, dtype=torch.float64), torch.tensor([2.0, 1.0], dtype=torch.float64)
    exact = Eigenbasis(torch.zeros(4, dtype=torch.float64), axes, variances, 3.0, (1, 2, 2))
    save_basis(StoredBasis.of(exact, "noise", [exact], count=7), tmp_path / "b")
    assert hashlib.sha256((tmp_path / "b").read_bytes()).hexdigest() == BEFORE_LATENTS


def test_a_basis_of_latents_says_which_and_is_refused_where_pixels_are_meant(basis: Eigenbasis, tmp_path: Path) -> None:
    space = LatentSpace(0.18215, "12ab", ("a red one", "blue"))
    made = save_basis(StoredBasis.of(basis, "samples", [basis, basis], latents=space), tmp_path / "b")
    found = load_basis(tmp_path / "b", "latents")
    assert found.card == made.card and found.card.latents == space
    assert "| prompts | 'a red one', 'blue' |" in found.card.text()
    with pytest.raises(BasisFileError, match="a basis of latents, but one of pixels is needed"):
        load_basis(tmp_path / "b")
    save_basis(stored(basis), tmp_path / "c")
    with pytest.raises(BasisFileError, match="a basis of pixels, but one of latents is needed"):
        load_basis(tmp_path / "c", "latents")
    assert [load_basis(tmp_path / name, "any").card.latents for name in "bc"] == [space, None]


def test_latents_of_another_vae_or_factor_are_refused() -> None:
    space = LatentSpace(0.5, "ab" * 32)
    space.require_same(0.5, "ab" * 32, "b")
    for other in ((0.25, "ab" * 32), (0.5, "cd" * 32)):
        with pytest.raises(
            BasisFileError, match=r"latents of the VAE abababababab with scaling factor 0\.5, but the model"
        ):
            space.require_same(*other, "b")


def test_classes_of_unequal_rank_are_refused(basis: Eigenbasis) -> None:
    classes = [basis, eigenbasis.truncate(basis, rank=2)]
    with pytest.raises(ValueError, match="must have one rank"):
        StoredBasis.of(basis, "noise", classes)


def test_a_study_s_artifacts_become_a_file(basis: Eigenbasis, tmp_path: Path) -> None:
    import numpy as np
    import xarray as xr

    random = np.random.default_rng(0)
    root = random.standard_normal((2, 16, 16))
    arrays = {
        "count": artifacts.array(9, (), "number of images"),
        "class_mean": artifacts.array(random.standard_normal((2, 16)), ("class", "pixel"), "means"),
        "class_covariance": artifacts.array(root @ root.transpose(0, 2, 1), ("class", "pixel", "pixel_other"), "cov"),
    }
    artifacts.save(xr.Dataset(arrays), tmp_path / "moments.zarr.zip")
    origin = {"study": "digits", "data": "12ab", "config": {"method": "gram"}}
    eigenbasis.save(basis, tmp_path / "eigenbasis.zarr.zip", origin)
    files = tmp_path / "eigenbasis.zarr.zip", tmp_path / "moments.zarr.zip"
    found = from_artifacts(*files)
    assert equal(found.all_images, basis)
    assert (found.card.count, found.card.method, found.card.data_digest) == (9, "gram", "12ab")
    assert found.classes == ()
    assert from_artifacts(*files, rank=2).all_images.rank == 2
    with pytest.raises(ValueError, match=r"keeps no covariance of each class; set moments\.per_class: true"):
        from_artifacts(files[0], per_class=True)
    for one, mean, covariance in zip(
        from_artifacts(*files, per_class=True).classes,
        arrays["class_mean"],
        arrays["class_covariance"],
        strict=True,
    ):
        values, vectors = np.linalg.eigh(covariance.values)
        leading = (vectors[:, -5:] * values[-5:]) @ vectors[:, -5:].T
        assert np.array_equal(one.mean.numpy(), mean.values)
        assert np.allclose(((one.vectors * one.variances) @ one.vectors.T).numpy(), leading)
