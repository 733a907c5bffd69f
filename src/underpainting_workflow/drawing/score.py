"""Draw the fraction of the network's score that each theory explains."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import score
from underpainting_workflow.claims import paper

PRINTED_FOR = "ddpm-cifar10-32"


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the explained fractions, with the paper's printed values if the study is of the paper's model."""
    printed = paper.SCORE_EXPLAINED if config["paper"] == PRINTED_FOR else {}
    return score.score(artifacts.load(files["score"][0]), config["labels"], printed)
