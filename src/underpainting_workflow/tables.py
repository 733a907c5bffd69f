"""Format tables as CSV and as self-contained HTML pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

import pandas as pd

GEOMETRY = {
    "study": "Study",
    "sampler": "Sampler",
    "residual_top2": "Mean top 2 PC proj.",
    "residual_top2_variance": "Mean top 2 PC proj., fraction of variance",
    "residual_plane": "Mean x₀, x_T proj.",
    "residual_rotation_caption": "Mean x₀, x_T rotation",
    "residual_rotation": "Mean x₀, x_T rotation, corrected",
    "dim_state_median": "Median dim x_t",
    "dim_difference_median": "Median dim Δx_t",
    "dim_noise_median": "Median dim ε(x_t)",
    "n": "Trajectories",
}
"""Columns of Table 2 and their headings."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body><h1>{title}</h1><p>{note}</p>{body}</body></html>
"""


class Part(NamedTuple):
    """A table of a page with several.

    Attributes:
        heading: heading of the table.
        note: a sentence below the heading, or empty.
        table: the table, its columns named by their headings; line breaks in cells are kept.
        formats: format of each column, e.g. `{:.2%}`; other columns are shown unchanged, NaN as an empty cell.
    """

    heading: str
    note: str
    table: pd.DataFrame
    formats: Mapping[str, str]


def csv(table: pd.DataFrame) -> str:
    """Format a table as CSV, floats with all digits."""
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def page(table: pd.DataFrame, title: str, note: str, formats: Mapping[str, str]) -> str:
    """Format a table as a self-contained HTML page.

    Args:
        table: the table, its columns named by their headings.
        title: title of the page.
        note: text below the title.
        formats: format of each column, e.g. `{:.2%}`; other columns are shown unchanged.
    """
    return _page(title, note, _html(table, formats))


def pages(parts: Sequence[Part], title: str, note: str) -> str:
    """Format several tables as one self-contained HTML page.

    Args:
        parts: the tables, from top to bottom.
        title: title of the page.
        note: text below the title.
    """
    bodies = []
    for part in parts:
        remark = f"<p>{escape(part.note)}</p>" if part.note else ""
        bodies.append(f"<h2>{escape(part.heading)}</h2>{remark}{_html(part.table, part.formats)}")
    return _page(title, note, "\n".join(bodies))


def _page(title: str, note: str, body: str) -> str:
    style = files("underpainting_workflow").joinpath("table.css").read_text(encoding="utf-8")
    return _PAGE.format(title=escape(title), note=escape(note), style=style, body=body)


def _html(table: pd.DataFrame, formats: Mapping[str, str]) -> str:
    shown = table.copy().astype(object)
    for column, form in formats.items():
        shown[column] = ["" if pd.isna(value) else form.format(value) for value in table[column]]
    texts = [column for column in shown if all(isinstance(value, str) for value in shown[column])]
    unchanged = dict.fromkeys(texts, str)  # otherwise pandas writes a line break as a backslash and an n
    html: str = shown.to_html(index=False, border=0, classes="table", formatters=unchanged)
    return html


def geometry_page(table: pd.DataFrame, title: str, note: str) -> str:
    """Format a table with columns of `GEOMETRY` as a page, residuals in per cent."""
    formats = {GEOMETRY[name]: "{:.2%}" for name in table.columns if name.startswith("residual")}
    formats |= {GEOMETRY[name]: "{:g}" for name in table.columns if name.startswith("dim")}
    return page(table.rename(columns=GEOMETRY), title, note, formats)
