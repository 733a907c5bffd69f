"""Summarise a text-to-image study in at most five findings, for the front page of its report.

The first three are about jumps of the main sampler, at every scale of guidance; the null model jumps with the Gaussian of all
latents, which does not know the prompt. The last two are claims about trajectories.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from underpainting_workflow.claims import latent_teleport
from underpainting_workflow.claims.latent_teleport import AGREEMENT, DISTANCES
from underpainting_workflow.findings.finding import (
    Finding,
    Number,
    as_change,
    as_number,
    as_share,
    listed,
    make_number,
    named,
    of_row,
    text_of,
    text_of_null,
)

NULL_MODEL = "the Gaussian of all latents"
"""The null model, which does not know the prompt, as named on the front page."""
_FIGURES = {"known": "fig_latent_teleport", "left out": "fig_latent_teleport_left_out"}
_OF = {"known": ("prompt", "the prompt's Gaussian"), "left out": ("predicted", "the Gaussian predicted from the text")}
_CASES = {
    "against plain runs of as many calls": ("", (AGREEMENT, DISTANCES)),
    "by the distances alone, against plain runs of as many calls": ("", (DISTANCES,)),
    "against the plain run of all steps": ("_complete", (AGREEMENT, DISTANCES)),
}
_SELECTED = {
    "What guidance does to trajectories": ("App. B.8.2, Fig. 24", "fig24_guidance"),
    "When a latent can be changed": ("Sec. 1, 4.2, Fig. 22", "fig22_responses"),
}


class Swept(NamedTuple):
    """The sampler whose jumps are reported.

    Attributes:
        sampler: its id.
        label: its name in figures, e.g. `DDIM, 20 steps`.
    """

    sampler: str
    label: str


def findings(table: pd.DataFrame, claims: pd.DataFrame, swept: Swept | None) -> list[Finding]:
    """Make the findings that a study's results allow, the most useful first.

    Args:
        table: `latent_teleport.csv`; empty for a study without jumps.
        claims: `latent_claims.csv`.
        swept: the sampler whose jumps are reported; None for a study without jumps.
    """
    found: list[Finding | None] = []
    if swept:
        rows = table.assign(gaussian=table["gaussian"].fillna(""))
        found += [steps_saved(rows, swept, group) for group in _FIGURES]
        found.append(few_calls(rows, swept))
    found += [_claim(claims, title, *where) for title, where in _SELECTED.items()]
    return [finding for finding in found if finding]


def steps_saved(rows: pd.DataFrame, swept: Swept, group: str) -> Finding | None:
    """Report the steps that a jump replaces at no loss against plain runs of as many calls, and against all steps."""
    kind, of = _OF[group]
    scales, found = sorted(rows["guidance"].unique()), {}
    for text, (against, measures) in _CASES.items():
        for scale in scales:
            measured, null = (
                latent_teleport.free_share(rows, group, scale, (swept.sampler, "jump", one), against, measures)
                for one in (kind, "common")
            )
            if measured is None:
                return None
            found[text, scale] = make_number(f"steps replaced at guidance {scale:g}, {text}", measured, null)
    equal, distances, complete = ([found[text, scale] for scale in scales] for text in _CASES)
    images = "prompts whose images the Gaussian knows" if group == "known" else "prompts whose images it never saw"
    sentence = (
        f"A jump with {of} replaces {listed([text_of(one, as_share) for one in equal])} of the steps of {named(swept.label)} at "
        f"guidance {listed([f'{scale:g}' for scale in scales])}, for {images}, before it loses against plain runs of as many "
        f"network calls{text_of_null(equal, as_share, f'a jump with {NULL_MODEL}')}. Judged by the Frechet distances alone it "
        f"replaces {listed([text_of(one, as_share) for one in distances])}. Against the plain run of all steps it is "
        f"{listed([as_share(one.value) for one in complete])}."
    )
    tried = sorted(rows.loc[rows["skipped_steps"] > 0, "skipped_steps"].unique())
    meaning = (
        "A loss is more than two points of agreement with all that the prompt says, or more than 5 % of a Frechet distance, in "
        "the features of the classifier or of the autoencoder. Jumps over "
        f"{listed([str(steps) for steps in tried])} steps were tried."
    )
    title = "What a jump saves" if group == "known" else "A jump under a prompt that is new"
    return Finding(title, sentence, meaning, tuple(found.values()), _FIGURES[group])


def few_calls(rows: pd.DataFrame, swept: Swept) -> Finding | None:
    """Report agreement and fidelity after the longest jump, beside plain runs of as many calls."""
    skipped = rows["skipped_steps"].max()
    chosen = rows[(rows["group"] == "known") & (rows["sampler"] == swept.sampler) & (rows["skipped_steps"] == skipped)]
    parts, numbers, calls = [], [], set()
    for scale, same in chosen.groupby("guidance"):
        plain, jump, null = (
            _only(same[(same["kind"] == kind) & (same["gaussian"] == gaussian)])
            for kind, gaussian in (("plain", ""), ("jump", "prompt"), ("jump", "common"))
        )
        if jump is None or plain is None:
            return None
        agreement = make_number(
            f"agreement at guidance {scale:g}", *(of_row(row, "agreement_all") for row in (jump, null))
        )
        of_plain = make_number(
            f"agreement of the plain run at guidance {scale:g}", of_row(plain, "agreement_all"), None
        )
        moved = make_number(
            f"change of the RMSE at guidance {scale:g}", *(of_row(row, "network_loss") for row in (jump, null))
        )
        numbers += [agreement, of_plain, moved]
        calls.add(int(jump["nfe"]))
        parts.append(
            f"at guidance {scale:g} {text_of(agreement, as_share)} of the images agree with all that their prompt says, of the "
            f"plain run's {as_share(of_plain.value)}"
        )
    if not parts:
        return None
    changes = listed([text_of(number, as_change) for number in numbers[2::3]])
    sentence = (
        f"After a jump over {skipped} steps of {named(swept.label)}, with {listed([str(one) for one in sorted(calls)])} network "
        f"calls left, {'; '.join(parts)}. The distance from the network's own latents (RMSE) changes by {changes} against the "
        "plain run."
    )
    meaning = (
        "Agreement says whether the image shows what the prompt asks for; the RMSE whether it is the image that the network "
        "would make from this noise. A guided estimate takes two network calls; a jump takes none."
    )
    return Finding("The effect of a jump at few network calls", sentence, meaning, tuple(numbers), _FIGURES["known"])


def _only(rows: pd.DataFrame) -> pd.Series | None:
    return rows.iloc[0] if len(rows) else None


def _claim(claims: pd.DataFrame, title: str, source: str, figure: str) -> Finding | None:
    """Report the first claim of a source in the paper; None if the study has none."""
    rows = claims[claims["source"] == source]
    if rows.empty:
        return None
    row = rows.iloc[0]
    ends = ("estimate", "low", "high", "null", "null_low", "null_high")
    value, low, high, null, null_low, null_high = (float(row[name]) for name in ends)
    number = Number(row["claim"], value, low, high, null, null_low, null_high, int(row["n"]))
    sentence = (
        f"{row['claim']}. Measured: {text_of(number, as_number, '95 % interval ')}; reproduced: {row['reproduced']}."
    )
    meaning = f"A claim of the paper, {source}, on {number.n} trajectories of the main sampler."
    return Finding(title, sentence, meaning, (number,), figure)
