"""Claims about teleportation in latent space: how many steps jumps replace at no loss, by guidance, prompts and Gaussian.

A jump is free up to a number of steps if none up to it loses more than two points of agreement with all that the prompt says,
nor more than 5 % of a Frechet distance: against the plain run of as many network calls, or against that of all steps. Losses have
intervals over prompts and seeds; the ends of a number of steps are those by the ends of the losses. The null model is the
jump with the Gaussian of all latents, which knows nothing of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from underpainting.analysis.statistics import Interval
from underpainting.samplers.registry import SAMPLERS
from underpainting.teleport import sweep
from underpainting_workflow.claims.claim import NO_NULL, PROJECT_TARGET, Claim, Null, of_interval

AGREEMENT = ("agreement_loss",)
DISTANCES = ("loss", "autoencoder_loss")
FIDELITY = ("network_loss",)
TOLERANCES = {AGREEMENT: 0.02, DISTANCES: 0.05, FIDELITY: 0.05}
SAVED = 0.5
NULL_MODEL = "jump with the Gaussian of all latents"
AGAINST = {"": "the plain run of as many network calls", "_complete": "the plain run of all steps"}
JUMPS = ("jump", "guided", "relative")
CASE = ["group", "guidance", "sampler", "kind", "gaussian"]


def free_share(
    table: pd.DataFrame,
    group: str,
    guidance: float,
    way: tuple[str, str, str],
    against: str = "",
    measures: tuple[tuple[str, ...], ...] = (AGREEMENT, DISTANCES),
) -> Interval | None:
    """Compute the fraction of the steps that a way replaces at no loss, with the ends by the ends of the losses.

    Args:
        table: `latent_teleport.csv`.
        group: of prompts.
        guidance: scale.
        way: sampler, kind and kind of Gaussian.
        against: suffix of the losses, a key of `AGAINST`.
        measures: keys of `TOLERANCES`; all have to be met.

    Returns:
        None if the table has no such rows.
    """
    rows = rows_of(table, group, guidance, way)
    found = [
        sweep.skippable(rows, [f"{loss}{against}" for loss in losses], TOLERANCES[losses])
        for losses in measures
        if rows is not None
    ]
    if rows is None or not found or None in found:
        return None
    steps = int(rows["steps"].iloc[0])
    known = [one for one in found if one is not None]
    low, estimate, high = (
        np.asarray(min(getattr(one, end) for one in known) / steps) for end in ("low", "skipped_steps", "high")
    )
    return Interval(estimate, low, high, known[0].n)


def rows_of(table: pd.DataFrame, group: str, guidance: float, way: tuple[str, str, str]) -> pd.DataFrame | None:
    """Select the rows of a way, after that of the plain run of all steps, which loses nothing against itself."""
    sampler, kind, gaussian = way
    rows = table[(table["group"] == group) & (table["guidance"] == guidance)]
    main = rows["sampler"].iloc[0] if kind == "relative" and len(rows) else sampler
    start = rows[(rows["sampler"] == main) & (rows["kind"] == "plain") & (rows["skipped_steps"] == 0)]
    chosen = rows[(rows["sampler"] == sampler) & (rows["kind"] == kind) & (rows["gaussian"].fillna("") == gaussian)]
    return pd.concat([start, chosen]) if len(start) and len(chosen) else None


def claims(table: pd.DataFrame) -> list[Claim]:
    """Make the claims of every guidance, group of prompts, sampler, way and Gaussian.

    Args:
        table: `latent_teleport.csv`.
    """
    return list(_claims(table.assign(gaussian=table["gaussian"].fillna(""))))


def _claims(table: pd.DataFrame) -> Iterator[Claim]:
    cases = table.loc[table["kind"].isin(JUMPS) & (table["gaussian"] != "common")].drop_duplicates(CASE)
    for group, guidance, *way in zip(*(cases[name] for name in CASE), strict=True):
        sampler, kind, gaussian = way
        for against, text in AGAINST.items():
            found = free_share(table, group, guidance, (sampler, kind, gaussian), against)
            null = free_share(table, group, guidance, (sampler, kind, "common"), against)
            if found is not None:
                yield of_interval(
                    f"{describe((sampler, kind, gaussian))}, {group} prompts, guidance {guidance:g}: fraction of the steps "
                    f"replaced at no loss of agreement and of both Frechet distances against {text}: at least 50 %",
                    PROJECT_TARGET,
                    "",
                    found,
                    at_least=SAVED,
                    null=Null(NULL_MODEL, null) if null is not None else NO_NULL,
                )


def describe(way: tuple[str, str, str]) -> str:
    """Describe a way in words, for tables."""
    sampler, kind, gaussian = way
    name = SAMPLERS[sampler.split("-")[0]].label
    of = {
        "prompt": "the prompt's Gaussian",
        "predicted": "the predicted Gaussian",
        "common": "the Gaussian of all latents",
    }
    texts = {
        "plain": f"{name}, plain",
        "interval": f"{name}, guidance off early",
        "jump": f"{name} after a jump with {of.get(gaussian, '')}",
        "guided": f"{name} after a guided jump with {of.get(gaussian, '')}",
        "relative": f"Relative sampler with {of.get(gaussian, '')}",
    }
    return texts[kind]
