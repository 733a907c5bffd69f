r"""Coloured handwritten digits with captions computed from the images, for text-to-image models.

    pixel = ground + a (colour - ground),     a in [0, 1] the coverage by the pen

A grey digit is placed on 32 x 32 pixels and sheared to a random slant; colour and ground are two different colours with a
little jitter. Thickness and slant are measured on the coverage a:

    thickness = 2 sum a / sum |grad a|                     a stroke of width w and length L has area w L and perimeter 2 L
    slant     = - sum a (x - x_m)(y - y_m) / sum a (y - y_m)^2         horizontal shift per row upwards; y runs downwards

The lower and the upper third of all images get a word for them; the middle third gets none. An image's draws are a function of
(seed, its number).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from underpainting.io.errors import InputError, Problem

SIDE = 32
COLOURS = {
    "black": (0, 0, 0),
    "white": (1, 1, 1),
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "magenta": (1, 0, 1),
    "cyan": (0, 1, 1),
}
"""Corners of the RGB cube, so that a mixture of two of them, as at an edge, resembles no third one."""

WORDS: dict[str, tuple[str, ...]] = {
    "digit": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "colour": tuple(COLOURS),
    "ground": tuple(COLOURS),
    "thickness": ("thin", "thick"),
    "slant": ("leaning left", "leaning right"),
}
"""Words of each attribute, in the order of the columns of an array of attributes."""

UNSAID = -1
"""Value of an attribute that a caption does not name, or for which an image has no word."""

_LOW, _HIGH, _JITTER = 0.1, 0.9, 0.08
_MAX_SLANT = 0.5
_THIRDS = (1 / 3, 2 / 3)
_AT_ONCE = 1024
_GRAMMAR = re.compile(
    "a (?:(?P<thickness>{thickness}) )?(?:(?P<colour>{colour}) )?(?:(?P<digit>{digit})|digit)(?: (?P<slant>{slant}))?"
    "(?: on (?P<ground>{ground}))?".format(**{name: "|".join(words) for name, words in WORDS.items()})
)


class PaintedDigits(NamedTuple):
    """Images and their attributes.

    Attributes:
        images: uint8, shape (sample, channel, height, width) with three channels of 32 x 32.
        attributes: numbers of the words of `WORDS`, `UNSAID` where there is none; int8, shape (sample, attribute).
    """

    images: NDArray[np.uint8]
    attributes: NDArray[np.int8]


def paint(grey: NDArray[np.uint8], digits: NDArray[np.integer], seed: int) -> PaintedDigits:
    """Paint grey digits, white on black, in random colours and with random slants.

    Args:
        grey: square images of at most 32 x 32, shape (sample, height, width); small ones are enlarged.
        digits: 0 to 9, shape (sample,).
        seed: of colours, jitter and slants.

    Raises:
        InputError: an image is not a square of at most 32 x 32, or a label is no digit.
    """
    _require_digits(grey, digits)
    draws = np.random.default_rng(seed).random((len(grey), 9))
    colour = (draws[:, 1] * len(COLOURS)).astype(int)
    ground = (colour + 1 + (draws[:, 2] * (len(COLOURS) - 1)).astype(int)) % len(COLOURS)
    pen, paper = _jittered(colour, draws[:, 3:6]), _jittered(ground, draws[:, 6:9])
    images = np.empty((len(grey), 3, SIDE, SIDE), np.uint8)
    widths, slants = np.empty(len(grey)), np.empty(len(grey))
    for start in range(0, len(grey), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        coverage = _place(grey[part], _MAX_SLANT * (2 * draws[part, 0] - 1))
        images[part] = np.round(255 * (paper[part] + coverage[:, None] * (pen[part] - paper[part])))
        widths[part], slants[part] = thickness(coverage), slant(coverage)
    columns = [digits, colour, ground, _outer_thirds(widths), _outer_thirds(slants)]
    return PaintedDigits(images, np.stack(columns, 1).astype(np.int8))


def _require_digits(grey: NDArray[np.uint8], digits: NDArray[np.integer]) -> None:
    """Check that images are square, at most 32 x 32, and labelled with digits."""
    if grey.ndim != 3 or grey.shape[1] != grey.shape[2] or not 2 <= grey.shape[1] <= SIDE:
        problem = f"digits of shape {grey.shape} cannot be painted"
        raise InputError(Problem(problem, f"give square grey images of at most {SIDE} x {SIDE}: (sample, side, side)"))
    if digits.shape != grey.shape[:1] or (len(digits) and not 0 <= digits.min() <= digits.max() <= 9):
        raise InputError(Problem("not every image is labelled with a digit", "give one label, 0 to 9, for each image"))


def _place(grey: NDArray[np.uint8], slants: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre digits on the canvas and shear them to given slants; coverage, shape (sample, height, width)."""
    side = grey.shape[1]
    scale = max(1, 24 // side)
    own = slant(grey.astype(np.float64) / 255)
    shear = torch.from_numpy(slants - np.clip(own, -1, 1))[:, None, None]
    axis = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
    rows, columns = axis[None, :, None], axis[None, None, :] + shear * axis[None, :, None]
    grid = torch.stack([columns, rows.expand_as(columns)], -1) * (2 / (scale * side))
    source = torch.tensor(grey, dtype=torch.float64)[:, None] / 255
    placed = torch.nn.functional.grid_sample(source, grid, padding_mode="zeros", align_corners=False)
    result: NDArray[np.float64] = placed[:, 0].numpy()
    return result


def _jittered(numbers: NDArray[np.integer], draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the colours of given numbers with jitter, shape (sample, channel, 1, 1)."""
    table = _LOW + (_HIGH - _LOW) * np.array(list(COLOURS.values()), np.float64)
    values: NDArray[np.float64] = table[numbers] + _JITTER * (2 * draws - 1)
    return values[:, :, None, None]


def thickness(coverage: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the width of the strokes in pixels, 2 area / perimeter, shape (sample,); 0 for an empty image.

    Args:
        coverage: in [0, 1], shape (sample, height, width).
    """
    padded = np.pad(coverage, ((0, 0), (0, 1), (0, 1)))
    gradient = np.hypot(np.diff(padded, axis=1)[:, :, :-1], np.diff(padded, axis=2)[:, :-1])
    perimeter = gradient.sum((1, 2))
    return np.divide(2 * coverage.sum((1, 2)), perimeter, out=np.zeros(len(coverage)), where=perimeter > 0)


def slant(coverage: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the shift to the right per row upwards from second moments, shape (sample,); 0 for an empty image.

    Args:
        coverage: in [0, 1], shape (sample, height, width).
    """
    rows, columns = np.arange(coverage.shape[1])[:, None], np.arange(coverage.shape[2])[None, :]
    area = np.maximum(coverage.sum((1, 2)), 1e-12)[:, None, None]
    vertical = rows - (coverage * rows).sum((1, 2), keepdims=True) / area
    horizontal = columns - (coverage * columns).sum((1, 2), keepdims=True) / area
    variance = (coverage * vertical**2).sum((1, 2))
    mixed = (coverage * vertical * horizontal).sum((1, 2))
    return np.divide(-mixed, variance, out=np.zeros(len(coverage)), where=variance > 0)


def _outer_thirds(values: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return 0 for the lower third of the values, 1 for the upper one, `UNSAID` between, shape (sample,)."""
    if not len(values):
        return np.empty(0, np.int8)
    low, high = np.quantile(values, _THIRDS)
    return np.where(values <= low, 0, np.where(values >= high, 1, UNSAID)).astype(np.int8)


def write_caption(attributes: Sequence[int] | NDArray[np.integer]) -> str:
    """Write the caption of an image; empty if it names no attribute.

    Args:
        attributes: numbers of words or `UNSAID`, in the order of `WORDS`, shape (attribute,).
    """
    said = {name: words[number] for (name, words), number in zip(WORDS.items(), attributes, strict=True) if number >= 0}
    if not said:
        return ""
    ground = f"on {said['ground']}" if "ground" in said else ""
    parts = ["a", said.get("thickness"), said.get("colour"), said.get("digit", "digit"), said.get("slant"), ground]
    return " ".join(part for part in parts if part)


def read_caption(caption: str) -> NDArray[np.int8]:
    """Read the attributes that a caption names, shape (attribute,); the inverse of `write_caption`.

    Raises:
        InputError: the caption is none of a painted digit.
    """
    found = _GRAMMAR.fullmatch(caption)
    if caption and not found:
        remedy = "write it as 'a thick red three leaning left on blue'; each word but 'a' and the digit may be left out"
        raise InputError(Problem(f"{caption!r} is no caption of a painted digit", remedy))
    said = found.groupdict() if found else {}
    numbers = [words.index(said[name]) if said.get(name) else UNSAID for name, words in WORDS.items()]
    return np.array(numbers, np.int8)


def complete_captions() -> list[str]:
    """Return all captions that name every attribute, with two different colours."""
    numbers = itertools.product(*(range(len(words)) for words in WORDS.values()))
    return [write_caption(row) for row in numbers if row[1] != row[2]]


def leave_out(attributes: Tensor, fraction: float, empty: float, generator: torch.Generator) -> Tensor:
    """Set attributes to `UNSAID` at random, so that a model learns prompts that leave things open.

    Args:
        attributes: shape (sample, attribute).
        fraction: probability with which each attribute is left out.
        empty: probability of leaving out all attributes of an image, which makes the empty prompt.
        generator: of the draws.
    """
    draws = torch.rand((len(attributes), attributes.shape[1] + 1), generator=generator)
    omitted = (draws[:, :-1] < fraction) | (draws[:, -1:] < empty)
    return torch.where(omitted, UNSAID, attributes)


def has_combination(attributes: NDArray[np.integer], combination: Mapping[str, str]) -> NDArray[np.bool_]:
    """Tell which images show all words of a combination, shape (sample,).

    Args:
        attributes: shape (sample, attribute).
        combination: word of each attribute, such as `{"digit": "seven", "colour": "green", "ground": "red"}`.

    Raises:
        InputError: an attribute or a word is unknown.
    """
    names, shows = list(WORDS), np.ones(len(attributes), bool)
    for name, word in combination.items():
        if word not in WORDS.get(name, ()):
            known = ", ".join(WORDS[name]) if name in WORDS else f"the attributes {', '.join(names)}"
            raise InputError(Problem(f"{name}: {word} is no attribute of a painted digit", f"choose among {known}"))
        shows &= attributes[:, names.index(name)] == WORDS[name].index(word)
    return shows


def draw_captions(
    attributes: NDArray[np.integer], fraction: float, empty: float
) -> Callable[[Tensor, torch.Generator], list[str]]:
    """Make a function that draws captions for images given by their indices, in which attributes are left out at random.

    Args:
        attributes: of all images, shape (sample, attribute).
        fraction: probability with which each attribute is left out.
        empty: probability of the empty prompt.
    """
    table = torch.from_numpy(attributes)

    def draw(chosen: Tensor, generator: torch.Generator) -> list[str]:
        return [write_caption(row) for row in leave_out(table[chosen], fraction, empty, generator).tolist()]

    return draw
