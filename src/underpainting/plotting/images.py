"""Images in figures: conversion to displayable values, and drawing side by side in one axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike, NDArray

from underpainting.plotting.style import DIVERGING

FloatArray = NDArray[np.float64]
GAP = 0.06
COLUMNS = 12


def to_displayable(image: FloatArray) -> FloatArray:
    """Convert an image (channel, height, width) in [-1, 1] to (height, width[, 3]).

    Grey images keep their values, for a colour map over [-1, 1]; RGB is moved to [0, 1] and clipped, so that zero is
    mid-grey.
    """
    if image.shape[0] == 1:
        return np.asarray(image[0])
    return np.clip((image.transpose(1, 2, 0) + 1) / 2, 0, 1)


def scale_each(images: ArrayLike) -> FloatArray:
    """Divide each image (..., channel, height, width) by its own largest magnitude (99th percentile)."""
    values = np.asarray(images, np.float64)
    size = np.percentile(np.abs(values), 99, axis=(-3, -2, -1), keepdims=True)
    return values / np.where(size > 0, size, 1.0)


def _place(axes: Axes, image: FloatArray, column: int, row: int, signed: bool) -> AxesImage:
    aspect = image.shape[-2] / image.shape[-1]
    extent = (column, column + 1 - GAP, (row + 1 - GAP) * aspect, row * aspect)
    return axes.imshow(to_displayable(image), DIVERGING if signed else "gray", vmin=-1, vmax=1, extent=extent)


def _frame(axes: Axes, columns: int, rows: int, aspect: float) -> None:
    axes.set(xlim=(-GAP / 2, columns - GAP / 2), ylim=((rows - GAP / 2) * aspect, -GAP / 2 * aspect), aspect="equal")
    axes.tick_params(length=0, labeltop=True, labelbottom=False, pad=2)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _label(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_xticks([column + (1 - GAP) / 2 for column in range(len(labels))], labels)


def draw_row(
    axes: Axes, images: Sequence[FloatArray], labels: Sequence[str], signed: Sequence[bool], columns: int
) -> None:
    """Draw one row of images (channel, height, width), a label above each, in an axes with room for `columns`."""
    for column, (image, diverging) in enumerate(zip(images, signed, strict=True)):
        _place(axes, image, column, 0, diverging)
    _frame(axes, columns, 1, images[0].shape[-2] / images[0].shape[-1])
    _label(axes, labels)
    axes.set_yticks([])


def draw_grid(
    axes: Axes,
    rows: Sequence[ArrayLike],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    signed: Sequence[bool] | None = None,
) -> AxesImage:
    """Draw rows of images into one axes; the tick labels name rows and columns.

    Args:
        rows: each of shape (column, channel, height, width), in [-1, 1].
        row_labels: one per row.
        column_labels: one per column, shown on top; empty for none.
        signed: rows shown in diverging colours about zero; none if not given.

    Returns:
        the last image drawn, for a colour bar.
    """
    signed = signed or [False] * len(rows)
    images = [np.asarray(row, np.float64) for row in rows]
    for row, (line, diverging) in enumerate(zip(images, signed, strict=True)):
        for column, image in enumerate(line):
            drawn = _place(axes, image, column, row, diverging)
    aspect = images[0].shape[-2] / images[0].shape[-1]
    _frame(axes, len(images[0]), len(rows), aspect)
    axes.set_yticks([(row + (1 - GAP) / 2) * aspect for row in range(len(rows))], row_labels)
    _label(axes, column_labels)
    return drawn


def grid_height(rows: int, columns: int, width: float) -> float:
    """Compute the height of a grid of square images, in inches; `width` is that of all columns together."""
    return width * rows / columns


def wrap_columns(count: int, limit: int = COLUMNS) -> list[slice]:
    """Split `count` columns into ranges of nearly equal length, at most `limit` columns each."""
    parts = -(-count // limit)
    size = -(-count // parts)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def wrap_label(label: str) -> str:
    """Break a label into lines: at its commas or, if it is long, at its first blank."""
    if ", " in label:
        return label.replace(", ", ",\n")
    return label.replace(" ", "\n", 1) if len(label) > 11 else label


def choose_snapshots(steps: int, count: int) -> NDArray[np.int64]:
    """Choose at most `count` of the steps 0 to `steps` - 1, evenly spaced, both ends included."""
    return np.unique(np.round(np.linspace(0, steps - 1, count)).astype(np.int64))
