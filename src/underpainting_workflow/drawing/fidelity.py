"""Draw Fig. 4 F: image quality by number of skipped steps."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting import fidelity


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the sweep, a line per sampler."""
    return fidelity.fidelity(pd.read_csv(files["table"][0]), config["labels"])
