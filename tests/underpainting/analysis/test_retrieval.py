"""Nearest training images against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from underpainting.analysis import retrieval
from underpainting.analysis.retrieval import Nearest


def search(training: Tensor) -> Nearest:
    """A plain sort of all distances; equal ones in the order of the training images."""

    def nearest(images: Tensor, k: int) -> tuple[Tensor, Tensor]:
        difference = images.flatten(1)[:, None] - training.flatten(1)[None]
        distances, order = difference.square().mean(2).sqrt().sort(dim=1, stable=True)
        return distances[:, :k], order[:, :k]

    return nearest


def images_of(count: int, seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, (count, 1, 3, 3)))


def test_neighbours_agree_with_brute_force() -> None:
    training, images = images_of(20, 0), images_of(6, 1)
    found = retrieval.find_neighbours(images, search(training))
    for number, image in enumerate(images):
        distances = [float((image - other).square().mean().sqrt()) for other in training]
        first, second = sorted(distances)[:2]
        assert found.distance[number] == pytest.approx(first)
        assert found.ratio[number] == pytest.approx(first / second)
        assert found.image[number] == distances.index(first)


def test_copies_of_training_images_are_memorised_and_new_ones_are_not() -> None:
    training = images_of(20, 0)
    images = torch.cat([training[[4]], training[[9]] + 0.01, images_of(4, 2)])
    found = retrieval.find_neighbours(images, search(training))
    assert (found.ratio < retrieval.MEMORISED).tolist() == [True, True, False, False, False, False]
    assert found.distance[:2] == pytest.approx([0, 0.01]) and found.image[:2].tolist() == [4, 9]


def test_leave_one_out_is_a_search_among_the_others() -> None:
    training = images_of(12, 3)
    own = torch.tensor([0, 5, 11])
    found = retrieval.leave_one_out_neighbours(training[own], own, search(training))
    for number, index in enumerate(own.tolist()):
        kept = [other for other in range(12) if other != index]
        alone = retrieval.find_neighbours(training[[index]], search(training[kept]))
        assert found.distance[number] == pytest.approx(alone.distance[0])
        assert found.ratio[number] == pytest.approx(alone.ratio[0])
        assert found.image[number] == kept[alone.image[0]]


@pytest.mark.parametrize("copies", [2, 3, 5])
def test_copies_within_the_training_set_are_others(copies: int) -> None:
    training = torch.cat([images_of(1, 4)] * copies + [images_of(4, 5)])
    own = torch.arange(copies)
    found = retrieval.leave_one_out_neighbours(training[own], own, search(training))
    assert (found.distance == 0).all() and (found.ratio == 0).all()
    assert (found.image != own.numpy()).all() and (found.image < copies).all()


def test_slips_are_told() -> None:
    training = images_of(4, 7)
    with pytest.raises(ValueError, match="as many indices"):
        retrieval.leave_one_out_neighbours(training, torch.arange(3), search(training))
