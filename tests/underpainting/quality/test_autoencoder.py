"""The autoencoder behind features that know no labels: it learns, keeps shapes, and comes back from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from underpainting.io import tensor_files
from underpainting.quality import autoencoder, classifier, extractors, fidelity, held_out
from underpainting.quality.autoencoder import Autoencoder, AutoencoderShape

SHAPE = AutoencoderShape(channels=1, size=8, width=4, features=6)


def gradients(count: int, size: int = 8) -> Tensor:
    """Byte images that are planes with two random slopes and a random height: three numbers tell all of them."""
    drawn = torch.rand(3, count, 1, 1, generator=torch.Generator().manual_seed(0))
    across = torch.linspace(-1, 1, size)
    return (127.5 + 60 * (drawn[0] - 0.5) + 60 * drawn[1] * across + 60 * drawn[2] * across[:, None]).byte()[:, None]


def random_bytes(count: int, channels: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, size, size), generator=generator, dtype=torch.uint8)


def held_of(images: Tensor) -> Tensor:
    return torch.from_numpy(held_out.held_out_indices(len(images)))


def test_it_gives_back_most_of_simple_images_that_it_has_not_seen() -> None:
    images = gradients(600)
    trained = autoencoder.train(images, held_of(images), SHAPE, epochs=30, seed=0, batch_size=32)
    assert 0.9 < trained.score < 1
    with torch.inference_mode():
        seen = trained.network.preprocess(images[held_of(images)])
        error = trained.network(images[held_of(images)]).double().mean()
    of_the_mean_image = (seen - seen.mean(0)).double().square().mean()
    assert trained.score == pytest.approx(float(1 - error / of_the_mean_image), abs=0.01)


def test_untrained_it_gives_back_less_than_the_mean_image() -> None:
    images = gradients(100)
    with torch.inference_mode():
        error = Autoencoder(SHAPE)(images).mean()
    assert error > (images / 127.5).float().var(0).mean()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [5, 7, 28, 33, 64])
def test_what_is_given_back_has_the_shape_of_what_is_seen(size: int, channels: int) -> None:
    network = Autoencoder(AutoencoderShape(channels, size, width=4, features=6)).eval()
    images = random_bytes(3, channels, size)
    seen = network.preprocess(images)
    assert seen.shape == (3, channels, min(size, 32), min(size, 32))
    assert seen.min() >= -1 and seen.max() <= 1
    with torch.no_grad():
        code = network.features(images)
        assert network.decoder(code).shape == seen.shape
        torch.testing.assert_close(network(images), (network.decoder(code) - seen).square().mean((1, 2, 3)))
    assert code.shape == (3, 6)


def test_large_images_are_reduced_by_averaging() -> None:
    network = Autoencoder(AutoencoderShape(1, 64, width=4, features=6))
    images = random_bytes(1, 1, 64)
    expected = (images.float() / 127.5 - 1).reshape(1, 1, 32, 2, 32, 2).mean((3, 5))
    torch.testing.assert_close(network.preprocess(images), expected)


def test_what_is_held_out_changes_nothing_of_what_is_learned() -> None:
    images = random_bytes(40, 1, 8)
    held = held_of(images)
    other = images.clone()
    other[held] = 0
    first, second = (autoencoder.train(data, held, SHAPE, epochs=2, seed=0) for data in (images, other))
    for one, two in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(one, two)


def test_training_twice_gives_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    images = random_bytes(40, 1, 8)
    before = torch.get_rng_state()
    for name, seed in {"a": 5, "b": 5, "c": 6}.items():
        trained = autoencoder.train(images, held_of(images), SHAPE, epochs=2, seed=seed)
        autoencoder.save(trained, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "a.safetensors"
    autoencoder.save(autoencoder.Trained(Autoencoder(SHAPE).eval(), 0.25), path)
    return path


def test_it_comes_back_from_its_file(file: Path) -> None:
    torch.manual_seed(0)
    images, original, loaded = random_bytes(9, 1, 8), Autoencoder(SHAPE).eval(), autoencoder.load(file)
    assert (loaded.score, loaded.network.shape, loaded.network.training) == (0.25, SHAPE, False)
    assert torch.equal(loaded.network.features(images), original.features(images))


def test_a_classifiers_file_is_no_autoencoder_and_the_other_way_round(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "c.safetensors"
    shape = classifier.ClassifierShape(1, 3, 8, 12)
    classifier.save(classifier.Trained(classifier.Classifier(shape).eval(), 0.5), other)
    with pytest.raises(tensor_files.TensorFileError, match="no autoencoder; delete it and run snakemake again"):
        autoencoder.load(other)
    with pytest.raises(tensor_files.TensorFileError, match="no classifier; delete it and run snakemake again"):
        classifier.load(file)


def test_features_do_not_depend_on_the_batch(file: Path) -> None:
    extractor = extractors.make_extractor("autoencoder", str(file))
    images = random_bytes(30, 1, 8)
    whole = fidelity.extract_features(extractor, images, 30)
    assert whole.shape == (30, 6)
    np.testing.assert_allclose(fidelity.extract_features(extractor, images, 7), whole, atol=1e-5)


def test_a_study_has_both_sets_of_features_its_own_first(file: Path) -> None:
    found = extractors.Extractors("autoencoder", str(file), str(file)).load()
    assert list(found) == ["features", "autoencoder_features"]
