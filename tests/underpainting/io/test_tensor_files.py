"""The library's own safetensors: what is written is read, and what was altered is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.bases import make_basis
from tests.helpers.networks import small_unet
from underpainting import denoisers
from underpainting.basis import stored
from underpainting.basis.stored import BasisFileError, StoredBasis
from underpainting.io import tensor_files
from underpainting.io.tensor_files import TensorFileError
from underpainting.quality import classifier
from underpainting.training import checkpoints

SHAPE = classifier.ClassifierShape(1, 2, 4, 3)
LOADERS: dict[str, Callable[[Path], Any]] = {
    "classifier": lambda path: (
        classifier.load(path).score,
        tensor_files.digest(classifier.load(path).network.state_dict()),
    ),
    "checkpoint": lambda path: (found := checkpoints.read(path, "run")) and tensor_files.digest(found),
    "basis": lambda path: (
        (found := stored.load_basis(path)).card,
        tensor_files.digest(found.tensors()),
        found.all_images.total_variance,
    ),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, Any]]:
    """Every kind of file: its bytes, and what is read from them."""
    folder = tmp_path_factory.mktemp("written")
    torch.manual_seed(0)
    classifier.save(classifier.Trained(classifier.Classifier(SHAPE).eval(), 0.75), folder / "classifier")
    checkpoints.write(
        folder / "checkpoint", {"a": torch.randn(3, 2), "b": torch.arange(4), "c": torch.tensor(1.5)}, "run"
    )
    stored.save_basis(StoredBasis.of(make_basis(6, [3.0, 1.5, 0.5], 0), "images", count=7), folder / "basis")
    return {name: ((folder / name).read_bytes(), load(folder / name)) for name, load in LOADERS.items()}


@settings(max_examples=600)
@given(kind=st.sampled_from(list(LOADERS)), place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_never_gives_another_number(
    written: dict[str, tuple[bytes, Any]], kind: str, place: float, bits: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content, expected = written[kind]
    changed = bytearray(content)
    changed[int(place * len(content))] ^= bits
    path = tmp_path_factory.getbasetemp() / f"changed_{kind}"
    path.write_bytes(changed)
    try:
        found = LOADERS[kind](path)
    except (TensorFileError, BasisFileError) as error:
        told = str(error)
    else:
        told = ""
        assert found in (expected, None), "a checkpoint that is damaged is none"
    assert not told or (str(path) in told and len(told) < 600)


def test_words_and_tensors_come_back_and_their_order_does_not_count(tmp_path: Path) -> None:
    one, other = {"x": torch.ones(2), "y": torch.zeros(1)}, {"y": torch.zeros(1), "x": torch.ones(2)}
    tensor_files.write(tmp_path / "one", one, {"a": 1, "b": [2.5]})
    tensor_files.write(tmp_path / "other", other, {"b": [2.5], "a": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    tensors, about = tensor_files.read(tmp_path / "one")
    assert about == {"a": 1, "b": [2.5]}
    assert tensor_files.digest(tensors) == tensor_files.digest(one)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    tensor_files.write(tmp_path / "x", {}, {})
    with pytest.raises(TensorFileError, match="holds no classifier"):
        classifier.load(tmp_path / "x")
    with pytest.raises(TensorFileError, match="cannot be read"):
        tensor_files.read(tmp_path / "absent")


def test_numbers_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    network = small_unet()
    with torch.no_grad():
        next(network.parameters()).flatten()[0] = torch.nan
    for write in (
        lambda: tensor_files.write(tmp_path / "x", {"a": torch.tensor([1.0, torch.inf])}, {}),
        lambda: checkpoints.write(tmp_path / "x", {"a": torch.tensor(torch.nan)}, "run"),
        lambda: denoisers.save_pipeline(network, DDIMScheduler(), tmp_path),
    ):
        with pytest.raises(TensorFileError, match="not finite; nothing was written"):
            write()
    assert not list(tmp_path.iterdir())
