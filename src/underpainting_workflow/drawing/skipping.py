"""Draw Fig. 17: image quality by network calls, with skipped steps."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting import skipping


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the sweep, two panels per sampler."""
    return skipping.skipping(pd.read_csv(files["table"][0]), config["labels"])
