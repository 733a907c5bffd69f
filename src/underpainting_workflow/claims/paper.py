"""Values copied from the paper; the only numbers in the table of claims that are not measured.

Table 2 is of DDIM (PNDM for Stable Diffusion) with 51 time steps. The fractions of score variance are of the authors'
follow-up (Wang & Vastola 2024), for CIFAR-10.

A study is judged against the row of the model that it names as `paper`, or else against the largest value printed for a
model of pixel space; the row of Stable Diffusion, a model of latents, is used only if a study names it. Printed values
are rounded: the bound is the value plus half a unit of its last digit (0.265 % for 0.26 %). Dimensions are integers and
are not rounded.
"""

from __future__ import annotations

from typing import NamedTuple


class Geometry(NamedTuple):
    """A row of Table 2: residual variances as fractions, and dimensions that hold 99.9 % of the variance."""

    top2: float
    plane: float
    rotation: float
    dim_state: int
    dim_difference: int
    dim_noise: int


RESIDUALS = ("top2", "plane", "rotation")
HALF_UNIT = 0.00005
"""Half a unit of the last printed digit of a residual variance: 0.005 %."""

TABLE_2 = {
    "ddpm-mnist": Geometry(0.0008, 0.0026, 0.0170, 2, 5, 8),
    "ddpm-cifar10-32": Geometry(0.0005, 0.0030, 0.0101, 2, 4, 7),
    "ddpm-church-256": Geometry(0.0005, 0.0031, 0.0109, 2, 5, 8),
    "ddpm-celebahq-256": Geometry(0.0002, 0.0010, 0.0107, 2, 4, 7),
}
"""Table 2, models of pixel space, by their names."""

LATENT = {"stable-diffusion-v1-5": Geometry(0.0046, 0.0081, 0.0249, 5, 34, 28)}
"""Table 2, the model of latents."""

GAUSSIAN_BETTER_THAN_CLOUD = 1e-30
MIXTURE_BETTER_THAN_GAUSSIAN = 1e-10
"""Section 5: p values below these, of the final images' squared errors on MNIST and CIFAR-10."""

SCORE_MODEL = "ddpm-cifar10-32"
"""The paper's model for which fractions of score variance are printed; no other study is judged by them."""

SCORE_EXPLAINED = {0.01: 0.38, 0.05: 0.7346, 0.2: 0.89, 0.75: 0.976, 1.5: 0.99}
"""Fraction of the network's score variance that the Gaussian score explains, by sigma / alpha, on CIFAR-10."""

SKIPPABLE_FRACTION = 0.4
"""Section 6.1: fraction of the steps that can be skipped without much perceptible change on MNIST and CIFAR-10."""


def geometry(model: str | None, name: str, form: str) -> str:
    """Format a value of Table 2: the model's, or the range over all models of pixel space if the model is None."""
    values = sorted({getattr(row, name) for row in rows(model)})
    ends = [form.format(value) for value in (values[0], values[-1])]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def rows(model: str | None) -> list[Geometry]:
    """Return the rows of Table 2 that a study is judged against: its model's, or all of pixel space."""
    return list(TABLE_2.values()) if model is None else [{**TABLE_2, **LATENT}[model]]


def bound(model: str | None, name: str) -> float:
    """Return the largest value that agrees with the printed ones of a study's model, allowing for rounding."""
    largest = max(getattr(row, name) for row in rows(model))
    return float(largest + HALF_UNIT if name in RESIDUALS else largest)
