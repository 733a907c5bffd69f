"""Tables as CSV for programs and as a self-contained HTML page for people."""

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
    "residual_top2_variance": "Mean top 2 PC proj., of variance",
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
        heading: above the table.
        note: a sentence below the heading, or nothing.
        table: columns as they are to be headed; a line break in a cell is kept.
        formats: column to format, e.g. `{:.2%}`; other columns are shown as they are, NaN as nothing.
    """

    heading: str
    note: str
    table: pd.DataFrame
    formats: Mapping[str, str]


def csv(table: pd.DataFrame) -> str:
    """A table as CSV text, floats with all their digits."""
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def page(table: pd.DataFrame, title: str, note: str, formats: Mapping[str, str]) -> str:
    """A table as an HTML page that needs nothing else.

    Args:
        table: columns as they are to be headed.
        title: above the table.
        note: a sentence below the title.
        formats: column to format, e.g. `{:.2%}`; other columns are shown as they are.
    """
    return _page(title, note, _html(table, formats))


def pages(parts: Sequence[Part], title: str, note: str) -> str:
    """Several tables as one HTML page that needs nothing else.

    Args:
        parts: from top to bottom.
        title: above all.
        note: a sentence below the title.
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
    as_it_is = dict.fromkeys(texts, str)  # else pandas writes a line break as a backslash and an n
    html: str = shown.to_html(index=False, border=0, classes="table", formatters=as_it_is)
    return html


def geometry_page(table: pd.DataFrame, title: str, note: str) -> str:
    """A table with columns of `GEOMETRY` as a page, residuals in per cent."""
    formats = {GEOMETRY[name]: "{:.2%}" for name in table.columns if name.startswith("residual")}
    formats |= {GEOMETRY[name]: "{:g}" for name in table.columns if name.startswith("dim")}
    return page(table.rename(columns=GEOMETRY), title, note, formats)
