"""Draw image quality at low NFE by how far a jump skips."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting import budget


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the distance by skip."""
    return budget.skips(pd.read_csv(files["table"][0]), budget.Names(config["solvers"], config["jumps"]))
