"""Draw quality by network calls: relative samplers beside the best of all others."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting.quality_by_calls import quality_by_calls


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the sweep at low NFE, a panel per measure."""
    return quality_by_calls(pd.read_csv(files["table"][0]), config)
