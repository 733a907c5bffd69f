"""Measures of images under prompts against their definitions, and the coverage of what images lose."""

from __future__ import annotations

import numpy as np
import pytest

from underpainting.quality.distances import Reference
from underpainting.quality.prompted import MadeImages, Measured, losses, measure

NAMES = ("digit", "colour")
PROMPTS, SEEDS = 12, 8
FEATURES = 4


def reference() -> dict[str, Reference]:
    random = np.random.default_rng(0)
    return {prefix: Reference(random.standard_normal((600, FEATURES))) for prefix in ("", "autoencoder_")}


REAL = reference()


def images(seed: int, right: float = 0.8, shift: float = 0.5, error: float = 1.0) -> MadeImages:
    """Images of which a fraction agrees, whose features are shifted, with squared errors for the first three seeds."""
    random = np.random.default_rng(seed)
    prompts, seeds = (labels.ravel() for labels in np.meshgrid(range(PROMPTS), range(SEEDS), indexing="ij"))
    agreeing = (random.random((len(prompts), 2)) < right).astype(float)
    agreeing[prompts % 2 == 0, 1] = np.nan
    features = {prefix: random.standard_normal((len(prompts), FEATURES)) + shift for prefix in ("", "autoencoder_")}
    errors = np.where(seeds < 3, error * random.chisquare(4, len(prompts)) / 4, np.nan)
    return MadeImages(agreeing, features, errors, prompts, seeds)


def measured(made: MadeImages) -> Measured:
    return measure(made, NAMES, REAL, 40)


def test_agreement_counts_what_the_prompts_say() -> None:
    made = images(1)
    found = measured(made).columns
    assert found["agreement_digit"] == pytest.approx(made.right[:, 0].mean())
    assert found["agreement_colour"] == pytest.approx(np.nanmean(made.right[:, 1]))
    both = [row[0] and (np.isnan(row[1]) or row[1]) for row in made.right]
    assert found["agreement_all"] == pytest.approx(np.mean(both))
    assert 0 <= found["agreement_all_low"] < found["agreement_all"] < found["agreement_all_high"] <= 1


def test_the_error_is_that_of_the_seeds_that_were_solved() -> None:
    made = images(2, error=4.0)
    found = measured(made).columns
    assert found["rmse_to_network"] == pytest.approx(np.sqrt(np.nanmean(made.errors)))
    none = measured(made._replace(errors=np.full_like(made.errors, np.nan))).columns
    assert "rmse_to_network" not in none and none["fd"] == found["fd"]


def test_images_lose_nothing_against_themselves() -> None:
    one = measured(images(3))
    found = losses(one, one, "_plain")
    names = [f"{name}_plain" for name in ("agreement_loss", "loss", "autoencoder_loss", "network_loss")]
    assert all(found[f"{name}{end}"] == pytest.approx(0, abs=1e-9) for name in names for end in ("", "_low", "_high"))


def test_losses_are_differences_and_relative_increases() -> None:
    worse, better = measured(images(4, 0.6, 1.0, 4.0)), measured(images(4, 0.9, 0.4, 1.0))
    found = losses(worse, better)
    difference = better.columns["agreement_all"] - worse.columns["agreement_all"]
    assert found["agreement_loss"] == pytest.approx(difference)
    assert found["loss"] == pytest.approx(worse.columns["fd_infinite"] / better.columns["fd_infinite"] - 1)
    assert found["network_loss"] == pytest.approx(1.0)
    assert all(found[f"{name}_low"] > 0 for name in ("agreement_loss", "loss", "autoencoder_loss", "network_loss"))
    back = losses(better, worse)
    assert back["agreement_loss_high"] < 0 and back["loss_high"] < 0


def test_the_interval_of_the_agreement_loss_covers_that_of_new_prompts_and_seeds() -> None:
    """Prompts differ in what they lose; over draws of prompts and seeds the interval holds the mean in nearly all."""
    random, covered = np.random.default_rng(5), 0
    for _ in range(60):
        chance = np.clip(0.7 + 0.2 * random.standard_normal(PROMPTS), 0, 1)
        first, second = images(0), images(0)
        drawn = (random.random(len(first.prompts)) < chance[first.prompts]).astype(float)
        lost = first._replace(right=np.stack([drawn, np.full_like(drawn, np.nan)], 1))
        kept = second._replace(right=np.ones_like(lost.right))
        interval = lost.interval(kept.all_right - lost.all_right)
        assert interval is not None
        covered += float(interval.low) <= 1 - 0.695 <= float(interval.high)
    assert covered >= 53


def test_images_of_other_seeds_are_not_compared() -> None:
    one = measured(images(6))
    other = one._replace(images=one.images._replace(seeds=one.images.seeds + 1))
    with pytest.raises(ValueError, match="same prompts and seeds"):
        losses(one, other)
