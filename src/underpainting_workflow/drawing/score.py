"""Draw how much of the network's score each theory explains."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import score
from underpainting_workflow.claims import paper

PRINTED_FOR = "ddpm-cifar10-32"


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the explained fractions, with those that the paper prints if the study is of that model."""
    printed = paper.SCORE_EXPLAINED if config["paper"] == PRINTED_FOR else {}
    return score.score(artifacts.load(files["score"][0]), config["labels"], printed)
