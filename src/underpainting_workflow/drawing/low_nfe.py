"""Draw image quality at low NFE, with and without each kind of jump."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting import low_nfe


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the sweep at low NFE, a panel per sampler."""
    return low_nfe.low_nfe(pd.read_csv(files["table"][0]), low_nfe.Names(config["samplers"], config["jumps"]))
