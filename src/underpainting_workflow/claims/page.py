"""The page of claims: columns, formats, and how many rows fail by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from underpainting.io.writing import write_text
from underpainting_workflow import tables
from underpainting_workflow.claims.claim import Claim

HEADINGS = {
    "claim": "Claim",
    "source": "Source",
    "paper": "Paper",
    "estimate": "Measured",
    "interval": "95 % interval",
    "null_model": "Null model",
    "null": "Null value",
    "null_interval": "Its 95 % interval",
    "n": "n",
    "reproduced": "Reproduced",
}
TAIL = 0.025
"""Probability that a 95 % interval lies entirely above, or entirely below, the true value."""


def chance(table: pd.DataFrame) -> str:
    """Describe how many rows would be `no` by chance alone."""
    judged = int(table["low"].notna().sum())
    return (
        f"Of the {len(table)} rows, {judged} are judged by an interval. If every true value were exactly at its bound, "
        f"{TAIL:.1%} of them, {TAIL * judged:.1f}, would be `no` by chance."
    )


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Format the table for the page: estimates and intervals with few digits."""
    text = table.copy().astype(object)
    for name, low, high, interval in (
        ("estimate", "low", "high", "interval"),
        ("null", "null_low", "null_high", "null_interval"),
    ):
        text[name] = ["" if np.isnan(value) else f"{value:.3g}" for value in table[name]]
        ends = zip(table[low], table[high], strict=True)
        text[interval] = ["" if np.isnan(low) or low == high else f"{low:.3g} to {high:.3g}" for low, high in ends]
    return text[list(HEADINGS)].rename(columns=HEADINGS)


def write(claims: list[Claim], csv: str, html: str, note: str) -> None:
    """Write claims as CSV, and as a page with a note on what they mean."""
    table = pd.DataFrame(claims, columns=Claim._fields)
    write_text(tables.csv(table), csv)
    write_text(tables.page(shown(table), "Claims of the paper", f"{note} {chance(table)}", {}), html)
