"""Tables like `teleport.csv`, whose truth is known: distances fall with calls, jumps are better, each by a known factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scripts.tabulate_teleport import COLUMNS
from underpainting.samplers import registry

JUMPS = {
    "none": "no jump",
    "isotropic": "isotropic (null)",
    "gaussian": "Gaussian",
    "lowrank16": "low rank (16)",
    "mixture": "mixture",
    "samples": "own samples",
}
FACTORS = {"none": 1.0, "isotropic": 1.5, "gaussian": 0.8, "lowrank16": 0.85, "mixture": 0.6, "samples": 0.82}
PERCENTS = {"isotropic": (40, 70), "gaussian": (40, 70), "lowrank16": (40,), "mixture": (60, 80), "samples": (55,)}
PLAIN = 0.5
FLOOR, FLOOR_OF_N = 0.02, 0.05
BIAS = 0.03
AUTOENCODER = 0.1
"""Distances in features of the autoencoder, over those of the study's extractor."""
RMSE = 0.05
NULL_LOSS = 3.0
WIDTH = 0.03


def ends(name: str, value: float, spread: float) -> dict[str, float]:
    """A quantity with its interval."""
    return {name: value, f"{name}_low": value - spread, f"{name}_high": value + spread}


def row(fd: float, **others: Any) -> dict[str, Any]:
    """A row with intervals of 3 % to each side; `fd` is the distance at infinitely many images."""
    scores = {
        "kid": fd / 100,
        "kid_std": fd / 900,
        "precision": 0.8,
        "recall": 0.7,
        "n": 500,
        "extractor": "classifier",
    }
    distances: dict[str, float] = {}
    for prefix, scale in {"": 1.0, "autoencoder_": AUTOENCODER}.items():
        distances |= ends(f"{prefix}fd", scale * (fd + BIAS), scale * WIDTH * fd)
        distances |= ends(f"{prefix}fd_infinite", scale * fd, scale * WIDTH * fd)
        distances |= {f"{prefix}floor": scale * FLOOR_OF_N, f"{prefix}floor_infinite": scale * FLOOR}
    return {**scores, **distances, "alpha": 0.5, "sigma": 0.9, **others}


def relative(name: str, value: float, spread: float = WIDTH) -> dict[str, float]:
    """How much larger something is, in both sets of features, with its interval."""
    return {**ends(name, value, spread), **ends(f"autoencoder_{name}", value, spread)}


def from_network(loss: float, spread: float = WIDTH, jump: str = "none", plain: float = RMSE) -> dict[str, float]:
    """Difference from the network's own images, how much larger it is than without a jump, and the jump's own part of it."""
    found = {**ends("rmse_to_network", plain * (1 + loss), plain * spread), **ends("network_loss", loss, spread)}
    return found | (ends("rmse_of_jump", plain / 2, plain * spread) if jump != "none" else {})


def truncated(
    sampler: str,
    losses: Mapping[int, float],
    steps: int = 50,
    per_step: int = 1,
    null: Mapping[int, float] | None = None,
    network: Mapping[int, float] | None = None,
) -> pd.DataFrame:
    """A sampler on its own grid: loss by skipped steps, intervals 1 % wide to each side; nothing is known without 0.

    Args:
        sampler: its id.
        losses: by both Frechet distances, by skipped steps.
        steps: of the sampler.
        per_step: network calls of each.
        null: those of the null model; by default `NULL_LOSS` after every jump.
        network: by the difference from the network's own images; by default as the others. Nothing of it is known if empty.
    """
    beside = {steps: NULL_LOSS for steps in losses if steps} if null is None else null
    rows = []
    for jump, of_jump in {"gaussian": losses, "isotropic": beside}.items():
        for skipped, loss in of_jump.items():
            name, spread = jump if skipped else "none", 0.01 if skipped else 0.0
            known = relative("loss", loss, spread) if 0 in losses else {}
            if network is None or skipped in network:
                alone = jump == "isotropic" or network is None
                jumped = name if jump == "gaussian" else "none"  # the flow is not solved after the null model's jumps
                known |= from_network(loss if alone else network[skipped], spread, jumped)  # type: ignore[index]
            place = {"skipped_steps": skipped, "nfe": per_step * (steps - skipped), "sigma": 1 - skipped / (steps + 5)}
            rows.append(row(PLAIN * (1 + loss), sampler=sampler, design="truncate", jump=name, **place, **known))
    table = pd.DataFrame(rows, columns=COLUMNS)
    if 0 not in losses:
        table[[f"network_loss{end}" for end in ("", "_low", "_high")]] = float("nan")
    return table


def regridded(
    samplers: Sequence[str], nfe: Sequence[int], jumps: Sequence[str] = tuple(JUMPS), reference: bool = True
) -> pd.DataFrame:
    """Few calls: the distance without a jump is 10 / NFE; the last percentage of each jump is the best, by its factor."""
    rows = []
    for sampler_name in samplers:
        for steps in sorted({registry.steps_within(sampler_name, most) for most in nfe}):
            calls = registry.calls(sampler_name, steps)
            for jump in jumps:
                for percent in PERCENTS.get(jump, (0,)):
                    loss = FACTORS[jump] * (1.0 if percent == PERCENTS.get(jump, (0,))[-1] else 1.1) - 1
                    fd = 10 / calls * (1 + loss)
                    behind = relative("behind", fd / PLAIN - 1) if reference else {}
                    place = {
                        "sampler": f"{sampler_name}-{steps}",
                        "grid": "time",
                        "jump": jump,
                        "skipped_percent": percent,
                        "nfe": calls,
                    }
                    known = relative("loss", loss, WIDTH if percent else 0.0)
                    if not registry.SAMPLERS[sampler_name].stochastic:
                        known |= from_network(loss, WIDTH if percent else 0.0, jump, 1 / calls)
                    rows.append(row(fd, design="regrid", **place, **known, **behind))
        if reference:
            place = {"sampler": f"{sampler_name}-50", "grid": "time", "jump": "none", "skipped_percent": 0, "nfe": 50}
            same = {**relative("loss", 0.0, 0.0), **relative("behind", 0.0, 0.0)}
            rows.append(row(PLAIN, design="regrid", **place, **same))
    return pd.DataFrame(rows, columns=COLUMNS)
