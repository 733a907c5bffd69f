"""Draw the quality of samples of early checkpoints, with and without teleport."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting import early_checkpoints


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw error and distance by training step."""
    return early_checkpoints.early_checkpoints(pd.read_csv(files["table"][0]), config["label"], config["extractor"])
