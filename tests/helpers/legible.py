"""What every figure owes its reader: texts within the page, none over another, axes with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from underpainting.plotting import style


@contextmanager
def drawn_texts() -> Iterator[list[Text]]:
    """Collects every text that is really drawn."""
    found: list[Text] = []
    original = Text.draw

    def draw(self: Text, renderer: object) -> None:
        if self.get_visible() and self.get_text().strip():
            found.append(self)
        original(self, renderer)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", draw)
        yield found


def overlap(one: Bbox, other: Bbox) -> float:
    """Pixels by which two boxes overlap in their smaller extent."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return min(width, height)


def check(draw: Callable[[], Figure]) -> list[str]:
    """Draw a figure and look at its texts; what it says is returned."""
    with style.style_sheet():
        figure = draw()
        canvas = FigureCanvasAgg(figure)
        figure.draw_without_rendering()  # as savefig does: the layout settles in two passes
        with drawn_texts() as texts:
            canvas.draw()
    boxes = {text: text.get_window_extent() for text in texts}
    width, height = canvas.get_width_height()
    outside = [
        text.get_text()
        for text, box in boxes.items()
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    assert not outside, f"beyond the page: {outside}"
    colliding = [(a.get_text(), b.get_text()) for a, b in combinations(boxes, 2) if overlap(boxes[a], boxes[b]) > 2]
    assert not colliding, f"one over the other: {colliding}"
    assert figure.get_figwidth() <= 7
    assert figure.get_figheight() <= 9
    for axes in figure.axes:
        if axes.images or not axes.axison:
            continue
        assert axes.get_xlabel() or axes.get_ylabel(), "an axes without any label"
        if not axes.get_shared_x_axes().get_siblings(axes)[1:] and axes.get_label() != "<colorbar>":
            assert axes.get_xlabel()
            assert axes.get_ylabel()
    return [text.get_text() for text in texts]
