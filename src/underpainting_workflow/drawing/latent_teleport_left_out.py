"""Draw jumps in latent space, for prompts left out of the Gaussians, beside other ways at as many network calls."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from underpainting.plotting import latent_teleport


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the sweep of one sampler and group of prompts."""
    return latent_teleport.latent_teleport(pd.read_csv(files["table"][0]), config["sampler"], config["group"])
