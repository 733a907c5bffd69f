"""Claims about teleportation (Sec. 6.1), and this project's targets beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from underpainting.claims import paper
from underpainting.claims.claim import PROJECT_TARGET, Claim, of_interval, of_number
from underpainting.measures.statistics import Interval
from underpainting.samplers import SAMPLERS
from underpainting.teleportation import sweep

TOLERANCE = 0.05
SAVED = 0.4
FEW_CALLS = 10
BEHIND = 0.05


def claims(table: pd.DataFrame, sampler: str, steps: int) -> list[Claim]:
    """Claims from the sweep: the paper's, of one sampler, and our targets, of all.

    Args:
        table: `teleport.csv`.
        sampler: which rows count for the paper's claims.
        steps: that the sampler takes without a jump.
    """
    own = [claim for name in _truncating(table) if (claim := _skippable(table, name))]
    few = sweep.few_calls(table)
    for solver in few["solver"].unique():
        own += _few_calls(few[few["solver"] == solver], SAMPLERS[solver].label)
    return [*_of_paper(sweep.truncated(table, sampler).set_index("skip"), steps), *own]


def _of_paper(rows: pd.DataFrame, steps: int) -> list[Claim]:
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
            of_interval(
                "Frechet distance after skipping 40 % of the steps, over that without a jump: at most 1.05",
                "Sec. 6.1",
                "even slightly lower",
                _largest(rows.loc[[skip]], "loss", plus=1),
                at_most=1 + TOLERANCE,
            )
        )
    return found


def _truncating(table: pd.DataFrame) -> list[str]:
    return list(table.loc[table["design"] == "truncate", "sampler"].unique())


def _largest(rows: pd.DataFrame, column: str, plus: float = 0.0) -> Interval:
    """The largest of some quantities, and a number more; the ends of its interval are the largest of theirs."""
    estimate, low, high = (np.asarray(rows[f"{column}{end}"].max() + plus) for end in ("", "_low", "_high"))
    return Interval(estimate, low, high, int(rows["n"].iloc[0]))


def _skippable(table: pd.DataFrame, sampler: str) -> Claim | None:
    found = sweep.skippable(sweep.truncated(table, sampler))
    if found is None:
        return None
    return of_number(
        f"{sampler}: network calls saved by the largest skip whose interval excludes a loss above 2 %: at least 40 %",
        PROJECT_TARGET,
        "",
        found.share,
        found.n,
        at_least=SAVED,
    )


def _few_calls(rows: pd.DataFrame, label: str) -> list[Claim]:
    """The targets at few network calls, of one sampler."""
    few, found = rows[(rows["jump"] != "none") & (rows["nfe"] <= FEW_CALLS)], []
    if len(few):
        text = f"{label}: loss of the best jump against none, at the worst NFE up to {FEW_CALLS}: below 0"
        winners = few.loc[few.groupby("nfe")["fd"].idxmin()]
        found.append(of_interval(text, PROJECT_TARGET, "", _largest(winners, "loss"), at_most=0))
    mixture = sweep.within(sweep.best(few[few["jump"] == "mixture"]), FEW_CALLS)
    if len(mixture) and mixture["behind"].notna().all():
        what = f"{label}: Frechet distance after the mixture's best jump at NFE {mixture['nfe'].iloc[0]}"
        text = f"{what}, over that of the plain run with many calls: at most 1.05"
        found.append(of_interval(text, PROJECT_TARGET, "", _largest(mixture, "behind", plus=1), at_most=1 + BEHIND))
    return found
