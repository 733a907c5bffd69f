"""How much the interactive part of a page may hold, for images of any size."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from underpainting_workflow.page import scene

LARGEST_IMAGES = 1_000_000  # bytes of the trajectories' images


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 32, 32), (3, 32, 32), (3, 64, 64), (3, 256, 192), (4, 512, 512)])
def test_the_images_of_trajectories_fit_the_page(shape: tuple[int, int, int]) -> None:
    reduced = scene.reduce(np.zeros((1, *shape))).shape[1:]
    assert max(reduced[1:]) <= scene.LARGEST_SIDE and reduced[0] == shape[0]
    moments = scene.choose(prod(reduced), 64, 51)
    assert moments.steps[0] == 0 and moments.steps[-1] == 50 and len(moments.steps) >= 10
    assert moments.seeds * len(moments.steps) * 6 * prod(reduced) <= LARGEST_IMAGES
