"""Claims about teleportation (Sec. 6.1)."""

from __future__ import annotations

import pandas as pd

from underpainting.claims import paper
from underpainting.claims.claim import Claim, of_number

TOLERANCE = 0.05


def claims(table: pd.DataFrame, sampler: str, steps: int) -> list[Claim]:
    """Claims from the sweep of one sampler.

    Args:
        table: columns sampler, design, skip, fd, n.
        sampler: which rows count.
        steps: that the sampler takes without a jump.
    """
    rows = table[(table["sampler"] == sampler) & (table["design"] == "truncate")].set_index("skip").sort_index()
    if 0 not in rows.index or len(rows) < 2:
        return []
    plain, images = float(rows["fd"][0]), int(rows["n"][0])
    good = [int(skip) for skip in rows.index if rows["fd"][skip] <= (1 + TOLERANCE) * plain]
    found = [
        of_number(
            "Steps that can be skipped for at most 5 % more Frechet distance: at least 40 %",
            "Sec. 6.1, Fig. 4 F",
            f"{paper.SKIPPABLE:.0%}",
            max(good) / steps,
            images,
            at_least=paper.SKIPPABLE,
        )
    ]
    skip = int(paper.SKIPPABLE * steps)
    if skip in rows.index:
        found.append(
            of_number(
                "Frechet distance after skipping 40 % of the steps, over that without a jump: at most 1.05",
                "Sec. 6.1",
                "even slightly lower",
                float(rows["fd"][skip]) / plain,
                images,
                at_most=1 + TOLERANCE,
            )
        )
    return found
