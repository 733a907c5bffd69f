"""The classifier of attributes: it learns, is saved and read, and agreement counts what prompts say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.painted import painted
from underpainting.images.painted_digits import WORDS
from underpainting.io.tensor_files import TensorFileError
from underpainting.quality import attributes, classifier
from underpainting.quality.attributes import AttributeShape, TrainedAttributes

SHAPE = AttributeShape(3, 32, {name: len(words) for name, words in WORDS.items()}, width=8, features=32)


@pytest.fixture(scope="module")
def trained() -> TrainedAttributes:
    images, labels = painted(1000)
    held = torch.arange(0, 1000, 5)
    return attributes.train(torch.from_numpy(images), torch.from_numpy(labels), held, SHAPE, epochs=12, seed=0)


def test_held_out_accuracy_of_every_attribute_is_far_above_chance(trained: TrainedAttributes) -> None:
    chance = {name: 1 / count for name, count in SHAPE.words.items()}
    assert all(trained.accuracy[name] > chance[name] + 0.4 * (1 - chance[name]) for name in WORDS), trained.accuracy


def test_accuracy_is_the_agreement_of_the_held_out_images(trained: TrainedAttributes) -> None:
    images, labels = painted(1000)
    seen = trained.network.classify(torch.from_numpy(images[::5]))
    for column, name in enumerate(WORDS):
        said = labels[::5, column] >= 0
        assert trained.accuracy[name] == pytest.approx((seen[said, column] == labels[::5][said, column]).mean())


def test_features_come_before_the_heads(trained: TrainedAttributes) -> None:
    images = torch.from_numpy(painted(6).images)
    features = trained.network.features(images)
    assert features.shape == (6, 32)
    assert torch.equal(torch.cat(trained.network(images), 1), trained.network.head(features))


def test_a_saved_classifier_is_the_same(trained: TrainedAttributes, tmp_path: Path) -> None:
    attributes.save(trained, tmp_path / "a.safetensors")
    attributes.save(trained, tmp_path / "b.safetensors")
    loaded = attributes.load(tmp_path / "a.safetensors")
    images = torch.from_numpy(painted(50).images)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert list(loaded.accuracy.items()) == list(trained.accuracy.items())
    assert (loaded.network.classify(images) == trained.network.classify(images)).all()
    assert torch.equal(loaded.network.features(images), trained.network.features(images))


def test_another_file_is_refused(tmp_path: Path) -> None:
    shape = classifier.ClassifierShape(1, 2, 4, 4)
    classifier.save(classifier.Trained(classifier.Classifier(shape), 0.5), tmp_path / "c.safetensors")
    with pytest.raises(TensorFileError, match="holds no classifier of attributes"):
        attributes.load(tmp_path / "c.safetensors")


def test_attributes_that_do_not_fit_are_refused() -> None:
    images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(ValueError, match="do not fit 4 images, 5 heads"):
        attributes.train(images, torch.zeros(4, 3), torch.arange(2), SHAPE, 1, 0)
    with pytest.raises(ValueError, match="a multiple of 8"):
        attributes.train(images[..., :30], torch.zeros(4, 5), torch.arange(2), SHAPE, 1, 0)


def test_agreement_counts_only_what_the_prompt_says() -> None:
    classified = np.array([[1, 0], [2, 0], [3, 1]])
    requested = np.array([[1, -1], [1, -1], [-1, -1]])
    assert attributes.agreement(classified, requested) == pytest.approx([0.5, np.nan], nan_ok=True)
    right = attributes.is_right(classified, requested)
    assert np.nanmean(right[:, 0]) == 0.5 and np.isnan(right[:, 1]).all()


def test_blur_keeps_the_brightness_and_a_plain_area_and_widens_an_edge() -> None:
    image = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    image[:, :, 3:5, 3:5] = 160
    image = torch.cat([image, torch.full((1, 3, 8, 8), 7, dtype=torch.uint8)])
    blurred = attributes.blur(image, torch.tensor([0.0, 1.0, 1.0]))
    assert torch.equal(blurred[0], image[0].float())
    assert blurred[1].sum() == pytest.approx(float(image[1].float().sum()))
    assert blurred[1, 0, 3, 3] == 160 * 9 / 16 and blurred[1, 0, 2, 2] == 160 / 16
    assert torch.equal(blurred[2], image[2].float())
