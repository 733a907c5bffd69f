"""Painted digits: attributes of hand-made images, captions, and draws that depend on (seed, number) alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers.painted import grey_digits
from underpainting.images import painted_digits
from underpainting.images.painted_digits import UNSAID, WORDS
from underpainting.io.errors import InputError


def bar(width: int, shift: float = 0.0) -> np.ndarray:
    """One upright bar of 20 rows, sheared by whole pixels: row r is shifted by round(shift * (9.5 - r))."""
    image = np.zeros((1, 32, 32))
    for row in range(20):
        left = 14 + round(shift * (9.5 - row))
        image[0, 6 + row, left : left + width] = 1
    return image


def test_thickness_of_a_bar_is_its_width() -> None:
    for width in (1, 2, 4):
        exact = 2 * width * 20 / (2 * 20 + 2 * width)  # area / half the perimeter, with the two ends
        assert painted_digits.thickness(bar(width))[0] == pytest.approx(exact, rel=0.02)


def test_slant_of_a_sheared_bar_is_its_shear_and_leans_right() -> None:
    assert painted_digits.slant(bar(3))[0] == pytest.approx(0)
    assert painted_digits.slant(bar(3, 0.5))[0] == pytest.approx(0.5, abs=0.02)
    assert painted_digits.slant(bar(3, -0.3))[0] == pytest.approx(-0.3, abs=0.02)


def test_an_empty_image_has_no_thickness_and_no_slant() -> None:
    empty = np.zeros((1, 32, 32))
    assert painted_digits.thickness(empty)[0] == painted_digits.slant(empty)[0] == 0


def test_attributes_are_those_of_the_pixels() -> None:
    grey, digits = grey_digits(300)
    images, attributes = painted_digits.paint(grey, digits, seed=3)
    names = list(WORDS)
    assert images.shape == (300, 3, 32, 32)
    assert (attributes[:, 0] == digits).all()
    colours = np.array(list(painted_digits.COLOURS.values()))
    corner = np.rint(images[:, :, 0, 0] / 255).astype(int)
    assert (colours[attributes[:, names.index("ground")]] == corner).all()
    pen, paper = (colours[attributes[:, column]] for column in (1, 2))
    most = np.abs(images / 255 - images[:, :, :1, :1] / 255).max((2, 3))
    assert (most[pen != paper] > 0.3).mean() > 0.95
    assert (attributes[:, 1] != attributes[:, 2]).all()
    # the coverage, read back from the pixels with the channel in which pen and paper differ most
    channel = np.abs(images - images[:, :, :1, :1].astype(float)).max((2, 3)).argmax(1)
    flat = images[np.arange(300), channel].astype(float)
    coverage = np.abs(flat - flat[:, :1, :1]) / np.abs(flat - flat[:, :1, :1]).max((1, 2), keepdims=True)
    slant, column = painted_digits.slant(coverage), attributes[:, names.index("slant")]
    assert slant[column == 0].max() < slant[column == 1].min()
    thickness, column = painted_digits.thickness(coverage), attributes[:, names.index("thickness")]
    assert (
        np.median(thickness[column == 0]) < np.median(thickness[column == UNSAID]) < np.median(thickness[column == 1])
    )
    assert [(column == value).sum() for value in (0, 1)] == [100, 100]


def test_an_image_is_the_same_among_more_images_and_another_with_another_seed() -> None:
    grey, digits = grey_digits(40)
    complete, part = painted_digits.paint(grey, digits, 0), painted_digits.paint(grey[:10], digits[:10], 0)
    assert (complete.images[:10] == part.images).all()
    assert (complete.images == painted_digits.paint(grey, digits, 0).images).all()
    assert (complete.images != painted_digits.paint(grey, digits, 1).images).any((1, 2, 3)).all()


def test_captions_of_hand_made_attributes() -> None:
    row = [3, 2, 4, 1, 0]
    assert painted_digits.write_caption(row) == "a thick red three leaning left on blue"
    assert painted_digits.write_caption([UNSAID, 2, UNSAID, UNSAID, UNSAID]) == "a red digit"
    assert painted_digits.write_caption([7, UNSAID, 1, UNSAID, 1]) == "a seven leaning right on white"
    assert painted_digits.write_caption([UNSAID] * 5) == ""


def test_reading_inverts_writing_for_every_choice_of_attributes() -> None:
    captions = painted_digits.complete_captions()
    assert len(set(captions)) == 10 * 8 * 7 * 2 * 2
    rng = np.random.default_rng(0)
    for caption in captions[::53]:
        row = np.where(rng.random(5) < 0.4, UNSAID, painted_digits.read_caption(caption))
        assert (painted_digits.read_caption(painted_digits.write_caption(row)) == row).all()


@pytest.mark.parametrize("caption", ["a purple three", "three", "a red three on", "a red three on blue, please", "a"])
def test_other_text_is_no_caption(caption: str) -> None:
    with pytest.raises(InputError, match=r"no caption of a painted digit.*write it as"):
        painted_digits.read_caption(caption)


def test_attributes_are_left_out_with_the_given_probabilities() -> None:
    attributes = torch.zeros(20_000, 5, dtype=torch.int8)
    draw = painted_digits.leave_out(attributes, 0.3, 0.1, torch.Generator().manual_seed(0))
    again = painted_digits.leave_out(attributes, 0.3, 0.1, torch.Generator().manual_seed(0))
    assert torch.equal(draw, again)
    said = (draw >= 0).double()
    assert said.mean(0).numpy() == pytest.approx(0.7 * 0.9, abs=0.015)
    assert float((said.sum(1) == 0).double().mean()) == pytest.approx(0.1 + 0.9 * 0.3**5, abs=0.01)


def test_combinations_are_found() -> None:
    attributes = np.array([[7, 3, 2, 0, 0], [7, 3, 2, UNSAID, 1], [7, 2, 3, 0, 0]], np.int8)
    found = painted_digits.has_combination(attributes, {"digit": "seven", "colour": "green", "ground": "red"})
    assert found.tolist() == [True, True, False]
    with pytest.raises(InputError, match=r"colour: puce .* choose among black"):
        painted_digits.has_combination(attributes, {"colour": "puce"})
    with pytest.raises(InputError, match="choose among the attributes digit"):
        painted_digits.has_combination(attributes, {"color": "red"})


def test_other_images_are_refused() -> None:
    with pytest.raises(InputError, match="give square grey images"):
        painted_digits.paint(np.zeros((2, 64, 64), np.uint8), np.zeros(2, int), 0)
    with pytest.raises(InputError, match="one label, 0 to 9"):
        painted_digits.paint(np.zeros((2, 8, 8), np.uint8), np.array([1, 10]), 0)
