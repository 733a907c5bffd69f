"""Eigenbases with known variances and random axes."""

from __future__ import annotations

import numpy as np
import torch

from underpainting.basis.eigenbasis import Eigenbasis


def make_basis(pixels: int, variances: list[float], seed: int) -> Eigenbasis:
    """Images of 1 x 1 x `pixels` with the given variances, sorted."""
    random = np.random.default_rng(seed)
    vectors = np.linalg.qr(random.standard_normal((pixels, pixels)))[0][:, : len(variances)]
    return Eigenbasis(
        torch.from_numpy(random.standard_normal(pixels)),
        torch.from_numpy(vectors),
        torch.tensor(sorted(variances, reverse=True), dtype=torch.float64),
        sum(variances),
        (1, 1, pixels),
    )
