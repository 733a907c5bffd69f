"""Draw image quality at low NFE by how far a jump goes."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting import low_nfe


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the distance by skipped percentage of the time."""
    return low_nfe.skipped_percent(pd.read_csv(files["table"][0]), low_nfe.Names(config["samplers"], config["jumps"]))
