"""Tables of jumps in latent space with known losses."""

from __future__ import annotations

from typing import Any

import pandas as pd

STEPS, SKIPPED = 20, (4, 8, 12, 16)
WAYS = [("plain", ""), ("interval", ""), ("jump", "common"), ("jump", "predicted"), ("relative", "predicted")]
LOSSES = ("agreement_loss", "loss", "autoencoder_loss", "network_loss")


def ends(name: str, value: float, spread: float) -> dict[str, float]:
    return {name: value, f"{name}_low": value - spread, f"{name}_high": value + spread}


def row(group: str, guidance: float, way: tuple[str, str], skipped: int, loss: float) -> dict[str, Any]:
    left = STEPS - skipped
    unguided = skipped if way[0] == "interval" else 0
    values: dict[str, Any] = {
        "group": group,
        "guidance": guidance,
        "sampler": "ddim-20",
        "kind": way[0],
        "gaussian": way[1],
        "steps": STEPS,
        "skipped_steps": skipped,
        "nfe": left * (1 if guidance == 1 else 2) + unguided,
        "n": 512,
        "floor_infinite": 0.5,
        "autoencoder_floor_infinite": 0.05,
    }
    measures = {"agreement_all": 0.9 - loss, "fd_infinite": 5 + loss, "autoencoder_fd_infinite": 0.5 + loss}
    for name, value in {**measures, "rmse_to_network": 0.3 + loss}.items():
        values |= ends(name, value, 0.01)
    for suffix in ("", "_complete"):
        for name in LOSSES:
            values |= ends(f"{name}{suffix}", loss, 0.015 if loss else 0.0)
    return values


def sweep_table() -> pd.DataFrame:
    """Jumps with the predicted Gaussian lose nothing up to 12 steps, those with that of all latents from 4 steps on."""
    rows = []
    for group in ("known", "left out"):
        for guidance in (1.0, 7.5):
            for way in WAYS:
                for skipped in (0, *SKIPPED) if way[0] == "plain" else SKIPPED:
                    lost = {"common": 0.2, "predicted": 0.2 if skipped > 12 else -0.01}.get(way[1], 0.0)
                    rows.append(row(group, guidance, way, skipped, lost))
    return pd.DataFrame(rows)
