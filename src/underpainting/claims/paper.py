"""Values that the paper prints, typed from it; the only numbers of the table of claims that are not measured.

Table 2 is of DDIM with 51 time steps. The fractions of score variance are of the authors' follow-up
(Wang & Vastola 2024), for CIFAR-10.
"""

from __future__ import annotations

from typing import NamedTuple


class Geometry(NamedTuple):
    """A row of Table 2: residual variances as fractions, and dimensions for 99.9 % of the variance."""

    top2: float
    plane: float
    rotation: float
    dim_state: int
    dim_difference: int
    dim_noise: int


TABLE_2 = {
    "ddpm-mnist": Geometry(0.0008, 0.0026, 0.0170, 2, 5, 8),
    "ddpm-cifar10-32": Geometry(0.0005, 0.0030, 0.0101, 2, 4, 7),
    "ddpm-church-256": Geometry(0.0005, 0.0031, 0.0109, 2, 5, 8),
    "ddpm-celebahq-256": Geometry(0.0002, 0.0010, 0.0107, 2, 4, 7),
}
"""Table 2, by the names of its models."""

GAUSSIAN_BETTER_THAN_CLOUD = "p < 1e-30"
MIXTURE_BETTER_THAN_GAUSSIAN = "p < 1e-10"
"""Section 5, of the final images' squared errors on MNIST and CIFAR-10."""

SCORE_EXPLAINED = {0.01: 0.38, 0.05: 0.74, 0.2: 0.89, 0.75: 0.976, 1.5: 0.99}
"""Fraction of the network's score variance that the Gaussian score explains, by sigma / alpha, on CIFAR-10."""

SKIPPABLE = 0.4
"""Section 6.1: part of the steps that can be skipped without much of a perceptible change on MNIST and CIFAR-10."""


def geometry(model: str | None, name: str, form: str) -> str:
    """A value of Table 2 as text: the model's, or the range over all pixel-space models where the study has no model."""
    if model is not None:
        return form.format(getattr(TABLE_2[model], name))
    values = sorted({getattr(row, name) for row in TABLE_2.values()})
    ends = [form.format(value) for value in (values[0], values[-1])]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
