"""Draw image quality by training steps, with and without a Gaussian."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting import residual


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw distance and loss by training steps."""
    return residual.residual(pd.read_csv(files["table"][0]), config["extractor"])
