"""Claims about teleportation (Sec. 6.1), and this project's targets.

Frechet distances are extrapolated to infinitely many images, and not counted below the floor of real images. The null
model is the jump of an isotropic Gaussian (`sweep.NULL`), which has the mean and the total variance alone. The interval
of a maximum has the largest ends as its ends: a bound on it holds at every number of calls at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from underpainting.analysis.statistics import Interval
from underpainting.samplers.registry import SAMPLERS
from underpainting.teleport import sweep
from underpainting_workflow.claims import paper
from underpainting_workflow.claims.claim import NO_NULL, PROJECT_TARGET, Claim, Null, of_interval

TOLERANCE = 0.05
SAVED = 0.4
LOW_NFE = 10
BEHIND = 0.05
NULL_MODEL = "jump of an isotropic Gaussian"


def claims(table: pd.DataFrame, sampler: str, steps: int) -> list[Claim]:
    """Make the claims from the sweep: the paper's, for one sampler, and this project's targets, for all.

    Args:
        table: `teleport.csv`.
        sampler: id of the sampler for the paper's claims.
        steps: number of its steps without a jump.
    """
    names = table.loc[table["design"] == "truncate", "sampler"].unique()
    found = [*_of_paper(table, sampler, steps), *(claim for name in names for claim in _free(table, str(name)))]
    few = sweep.regridded(table)
    for sampler_name in few["sampler_name"].unique():
        found += _low_nfe(few[few["sampler_name"] == sampler_name], SAMPLERS[sampler_name].label)
    return found


def _of_paper(table: pd.DataFrame, sampler: str, steps: int) -> Iterator[Claim]:
    jumped, null = (sweep.truncated(table, sampler, jump) for jump in ("gaussian", sweep.NULL))
    first = list(sweep.measure_names(str(table["extractor"].iloc[0])).items())[:2]
    for loss, distance in first:
        found = sweep.skippable(jumped, [loss], TOLERANCE)
        if found is None:
            continue
        of_null = sweep.skippable(null, [loss], TOLERANCE)
        yield of_interval(
            f"Fraction of the steps that can be skipped, with all shorter jumps, for at most 5 % more {distance}: at least 40 %",
            "Sec. 6.1, Fig. 4 F",
            f"{paper.SKIPPABLE_FRACTION:.0%}",
            _share(found, steps),
            at_least=paper.SKIPPABLE_FRACTION,
            null=Null(NULL_MODEL, _share(of_null, steps)) if of_null else NO_NULL,
        )
        skipped = int(paper.SKIPPABLE_FRACTION * steps)
        if skipped in jumped["skipped_steps"].to_numpy():
            yield of_interval(
                f"{distance} after skipping 40 % of the steps, over that without a jump: at most 1.05",
                "Sec. 6.1",
                "even slightly lower",
                _largest(jumped[jumped["skipped_steps"] == skipped], loss, plus=1),
                at_most=1 + TOLERANCE,
                null=_null(null[null["skipped_steps"] == skipped], loss, plus=1),
            )


def _share(found: sweep.Skippable, steps: int) -> Interval:
    estimate, low, high = (np.asarray(count / steps) for count in (found.skipped_steps, found.low, found.high))
    return Interval(estimate, low, high, found.n)


def _free(table: pd.DataFrame, sampler: str) -> Iterator[Claim]:
    """Make the claims on network calls that a jump saves, by the study's Frechet distance alone and by all measures."""
    jumped, null = (sweep.truncated(table, sampler, jump) for jump in ("gaussian", sweep.NULL))
    names = sweep.measure_names(str(table["extractor"].iloc[0]))
    choices: dict[str, Sequence[str]] = {names["loss"]: ["loss"], "of every measure": sweep.LOSSES}
    for text, losses in choices.items():
        found, of_null = sweep.skippable(jumped, losses), sweep.skippable(null, losses)
        if found is not None:
            yield of_interval(
                f"{sampler}: fraction of network calls saved, with all shorter jumps, for at most 2 % more {text}: at least 40 %",
                PROJECT_TARGET,
                "",
                saved(found),
                at_least=SAVED,
                null=Null(NULL_MODEL, saved(of_null)) if of_null else NO_NULL,
            )


def saved(found: sweep.Skippable) -> Interval:
    """Return the share of network calls that a jump saves."""
    estimate, low, high = (np.asarray(share) for share in (found.share, found.share_low, found.share_high))
    return Interval(estimate, low, high, found.n)


def _low_nfe(rows: pd.DataFrame, label: str) -> Iterator[Claim]:
    """Make the targets of one sampler at low NFE."""
    few, names = rows[rows["nfe"] <= LOW_NFE], sweep.measure_names(str(rows["extractor"].iloc[0]))
    jumped, null = few[~few["jump"].isin([sweep.NO_JUMP, sweep.NULL])], few[few["jump"] == sweep.NULL]
    if len(jumped):
        winners, of_null = sweep.winners(jumped), sweep.winners(null)
        for loss, name in names.items():
            if winners[loss].notna().all():
                yield of_interval(
                    f"{label}: relative change of {name} by the jump with the best {names['loss']}, at the worst NFE up to "
                    f"{LOW_NFE}: below 0",
                    PROJECT_TARGET,
                    "",
                    _largest(winners, loss),
                    at_most=-1e-12,
                    null=_null(of_null, loss),
                )
    yield from _behind(few, null, label)


def _behind(few: pd.DataFrame, null: pd.DataFrame, label: str) -> Iterator[Claim]:
    """Compare the mixture's best jump with a run of many calls without a jump."""
    mixture = sweep.within(sweep.best(few[few["jump"] == "mixture"]), LOW_NFE)
    of_null = sweep.within(sweep.best(null), LOW_NFE)
    distances = list(sweep.measure_names(str(few["extractor"].iloc[0])).values()) if len(few) else []
    for column, name in zip(("behind", "autoencoder_behind"), distances, strict=False):
        if len(mixture) and mixture[column].notna().all():
            yield of_interval(
                f"{label}: {name} after the mixture's best jump at NFE {mixture['nfe'].iloc[0]}, over that with many calls "
                "and no jump: at most 1.05",
                PROJECT_TARGET,
                "",
                _largest(mixture, column, plus=1),
                at_most=1 + BEHIND,
                null=_null(of_null, column, plus=1),
            )


def _largest(rows: pd.DataFrame, column: str, plus: float = 0.0) -> Interval:
    """Return the maximum of a column plus a number; the ends of its interval are the maxima of the ends."""
    estimate, low, high = (np.asarray(rows[f"{column}{end}"].max() + plus) for end in ("", "_low", "_high"))
    return Interval(estimate, low, high, int(rows["n"].iloc[0]))


def _null(rows: pd.DataFrame, column: str, plus: float = 0.0) -> Null:
    """Return the null model with the maximum of a column plus a number, or `NO_NULL` without rows."""
    known = rows[rows[column].notna()]
    return Null(NULL_MODEL, _largest(known, column, plus)) if len(known) else NO_NULL
