"""Summarise a study of images in at most five findings, in words and numbers, for the front page of its report.

Each number has its 95 % interval and the same quantity for the null model, an isotropic Gaussian. Quantities that were
not measured are left out, and so are findings without any.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from underpainting.analysis import statistics
from underpainting.analysis.trajectory_errors import DIVERGENCE_ERROR, divergence_time
from underpainting.samplers.registry import SAMPLERS
from underpainting.teleport import sweep
from underpainting_workflow.claims import emergence, teleport
from underpainting_workflow.findings.finding import (
    Finding,
    Number,
    as_change,
    as_factor,
    as_number,
    as_share,
    listed,
    make_number,
    named,
    of_row,
    text_of,
    text_of_null,
)

LOW_NFE = 10
SHARE = 0.4
"""Fraction of the steps that the reported jump skips where no jump is known to be free."""
NULL_MODEL = "an isotropic Gaussian"
"""The null model, a Gaussian with only the mean and the total variance, as named on the front page."""


class Swept(NamedTuple):
    """The sampler whose jumps are reported.

    Attributes:
        sampler: its id.
        label: its name in figures, e.g. `DDIM, 50 steps`.
        steps: number of its steps without a jump.
    """

    sampler: str
    label: str
    steps: int


def findings(
    table: pd.DataFrame,
    gaussian: xr.Dataset,
    emerged: xr.Dataset,
    swept: Swept,
    followed: str,
    jumps: Mapping[str, str],
) -> list[Finding]:
    """Make the findings that a study's results allow, the most useful first.

    Args:
        table: `teleport.csv`.
        gaussian: errors of the Gaussian along the main sampler, and of the isotropic one.
        emerged: `emergence/SAMPLER.zarr.zip`.
        swept: the sampler whose jumps are reported.
        followed: label of the sampler that the Gaussian is compared with.
        jumps: labels of the jumps at low NFE, by id.
    """
    few = sweep.regridded(table)
    found = (
        calls_saved(table, swept),
        best_jump(few, jumps) if len(few) else cost_of_skipping(table, swept),
        lasting_change(table, swept),
        gaussian_period(gaussian, followed),
        feature_noise(emerged),
    )
    return [finding for finding in found if finding]


def calls_saved(table: pd.DataFrame, swept: Swept) -> Finding | None:
    """Report how many network calls a jump saves before a measure of quality grows by more than the tolerance."""
    jumped, null = _with_null(table, swept)
    names = sweep.measure_names(str(table["extractor"].iloc[0]))
    known = [loss for loss in names if len(jumped) and jumped[loss].notna().any()]
    choices = {"all measures": sweep.LOSSES, f"the {names['loss']} alone": ["loss"]}
    found = {text: sweep.skippable(jumped, losses) for text, losses in choices.items()}
    every = found["all measures"]
    if every is None or None in found.values() or not (jumped["skipped_steps"] > 0).any():
        return None
    of_null = [sweep.skippable(null, losses) for losses in choices.values()]
    numbers = [
        make_number(
            f"share of network calls saved, by {text}",
            teleport.saved(one) if one else None,
            teleport.saved(other) if other else None,
        )
        for (text, one), other in zip(found.items(), of_null, strict=True)
    ]
    which = f"any of {len(known)} measures" if len(known) > 1 else f"the {names[known[0]]}"
    null_saves = text_of_null(numbers, as_share, f"the jump of {NULL_MODEL} saves")
    sentence = (
        f"A jump saves {text_of(numbers[0], as_share, '95 % interval ')} of the network calls of {named(swept.label)} "
        f"({every.skipped_steps} steps skipped) before {which} grows by more than {100 * sweep.TOLERANCE:g} %; judged by the "
        f"{names['loss']} alone it saves {text_of(numbers[1], as_share)}{null_saves}."
    )
    tried = sorted(jumped.loc[jumped["skipped_steps"] > 0, "skipped_steps"])
    measures, lengths = listed([names[loss] for loss in known]), listed([str(steps) for steps in tried])
    meaning = (
        f"The measures are: {measures}. Jumps over {lengths} of {swept.steps} steps were tried; the largest jump without loss "
        "lies between the one named and the next larger one tried."
    )
    return Finding("What a jump saves", sentence, meaning, tuple(numbers), "fig04f_fidelity")


def best_jump(few: pd.DataFrame, jumps: Mapping[str, str]) -> Finding | None:
    """Report the effect of the best jump at the lowest NFE of the sweep, and at ten network calls.

    Args:
        few: rows of `sweep.regridded`.
        jumps: labels of the jumps, by id.
    """
    real = few[~few["jump"].isin([sweep.NO_JUMP, sweep.NULL]) & few["loss"].notna() & sweep.judged(few).notna()]
    if real.empty:
        return None
    fewest = real[real["nfe"] == real["nfe"].min()]
    choices = {int(rows["nfe"].max()): rows for rows in (fewest, sweep.within(real, LOW_NFE)) if len(rows)}
    sentences, numbers = list[str](), list[Number]()
    for rows in choices.values():
        best = _smallest(rows)
        found = _losses(best, _best_null(few, best))
        name, label = jumps.get(str(best["jump"]), str(best["jump"])), SAMPLERS[best["sampler_name"]].label
        sentences.append(
            f"With {_calls(best)} the best jump ({name}, over {best['skipped_percent']} % of the network's time, before {label}) "
            f"{_changes(found, again=bool(sentences))}"
        )
        numbers += [number._replace(name=f"{number.name}, {_calls(best)}") for number in found.values()]
    meaning = (
        "Lower is better; changes are relative to the same sampler with as many calls and no jump. The best of all jumps tried "
        f"({real['jump'].nunique()} models and their lengths) is selected by the reported distance itself, which is "
        "therefore slightly optimistic."
    )
    return Finding(
        "The effect of a jump at few network calls", " ".join(sentences), meaning, tuple(numbers), "fig_low_nfe"
    )


def _best_null(few: pd.DataFrame, best: pd.Series) -> pd.Series | None:
    """Return the row of the null model's best jump with the same sampler and NFE."""
    same = (few["jump"] == sweep.NULL) & (few["sampler_name"] == best["sampler_name"]) & (few["nfe"] == best["nfe"])
    rows = few[same & sweep.judged(few).notna()]
    return _smallest(rows) if len(rows) else None


def _smallest(rows: pd.DataFrame) -> pd.Series:
    """Return the row with the smallest distance."""
    return rows.iloc[int(sweep.judged(rows).to_numpy().argmin())]


def cost_of_skipping(table: pd.DataFrame, swept: Swept) -> Finding | None:
    """Report the effect of a jump over 40 % of the steps on image quality, for a study without a sweep at low NFE."""
    jumped, null = _with_null(table, swept)
    row = _at(jumped[jumped["loss"].notna()], int(SHARE * swept.steps))
    if row is None:
        return None
    found = _losses(row, _same_jump(null, row))
    sentence = f"A jump over {row['skipped_steps']} steps of {named(swept.label)} {_changes(found)}"
    meaning = (
        f"Lower is better; changes are relative to the same sampler without a jump. The jump leaves {_calls(row)}."
    )
    return Finding("The cost of a jump", sentence, meaning, tuple(found.values()), "fig17_skipping")


def _losses(row: pd.Series, null: pd.Series | None) -> dict[str, Number]:
    """Return the measured losses of a row, by measure, with those of the null model's row."""
    names = sweep.measure_names(str(row["extractor"]))
    return {
        name: make_number(f"change of the {name}", of_row(row, loss), of_row(null, loss))
        for loss, name in names.items()
        if pd.notna(row[loss])
    }


def _changes(found: Mapping[str, Number], again: bool = False) -> str:
    """Format losses as the end of a sentence, those of the null model without their intervals.

    Args:
        found: by measure.
        again: whether a sentence before has named the measures.
    """
    texts = [
        text_of(number, as_change, "" if again or index else "95 % interval ")
        for index, number in enumerate(found.values())
    ]
    named_once = [
        f"the {name}{'' if index else ', at infinitely many images,'} by {text}"
        for index, (name, text) in enumerate(zip(found, texts, strict=True))
    ]
    of_null = [as_change(number.null) for number in found.values() if isfinite(number.null)]
    null = f"; the jump of {NULL_MODEL} changes them by {listed(of_null)}" if of_null else ""
    return f"changes {f'them by {listed(texts)}' if again else listed(named_once)}{null}."


_END = "rmse_to_network"


def lasting_change(table: pd.DataFrame, swept: Swept) -> Finding | None:
    """Report how far a jump moves the images of the network's probability flow, independent of the number of calls."""
    jumped, null = _with_null(table, swept)
    free = sweep.skippable(jumped)
    place = free.skipped_steps if free and free.skipped_steps else int(SHARE * swept.steps)
    row = _at(jumped[jumped["rmse_of_jump"].notna()], place)
    if row is None:
        return None
    jump = make_number("rmse of the jump", of_row(row, "rmse_of_jump"), None)
    null_row, plain = _same_jump(null, row), jumped[jumped["skipped_steps"] == 0]
    ends = [
        make_number("rmse to the network without a jump", of_row(plain.iloc[0] if len(plain) else None, _END), None),
        make_number("rmse to the network after the jump", of_row(row, _END), of_row(null_row, _END)),
    ]
    sentence = (
        f"A jump over {row['skipped_steps']} steps of {named(swept.label)} moves the network's own images by "
        f"{text_of(jump, as_number, '95 % interval ')}, root mean square per pixel of values from -1 to 1, however many network "
        "calls follow."
    )
    known = {when: end for when, end in zip(("without a jump", "after it"), ends, strict=True) if isfinite(end.value)}
    if known:
        parts = [f"{text_of(end, as_number)} {when}" for when, end in known.items()]
        null_ends = text_of_null(known.values(), as_number, f"after the jump of {NULL_MODEL}")
        sentence += f" The sampler's images differ from them by {listed(parts)}{null_ends}."
    numbers = (jump, *known.values())
    meaning = (
        "The network's own images are its probability flow from the same noise, solved in many small steps. More calls reduce "
        "the error of the sampler, but not that of the jump."
    )
    return Finding("The lasting effect of a jump", sentence, meaning, numbers, "fig04e_hybrid")


def gaussian_period(gaussian: xr.Dataset, followed: str) -> Finding | None:
    """Report up to which step the Gaussian, which needs no network call, predicts the sampler."""
    if gaussian.sizes["sample"] < 2:
        return None
    left = divergence_time(gaussian)
    isotropic = divergence_time(xr.Dataset({"state_error": gaussian["isotropic_state_error"]}))
    found, null = (statistics.clip(statistics.confidence_interval(values), 0, 1) for values in (left, isotropic))
    number = make_number("share of the steps that the Gaussian predicts", found, null)
    sentence = (
        f"The Gaussian, which needs no network call, predicts {named(followed)} for "
        f"{text_of(number, as_share, '95 % interval ')} of the steps, until its squared error per pixel "
        f"exceeds {DIVERGENCE_ERROR:g}{text_of_null([number], as_share, f'{NULL_MODEL} does so for')}."
    )
    meaning = (
        f"Mean over {number.n} trajectories, of which {as_share(float((left == 1).mean()))} are predicted to the end; an error "
        f"of {DIVERGENCE_ERROR:g} is {100 * DIVERGENCE_ERROR**0.5 / 2:g} % of the range of values. Until then, mean and "
        "covariance of the training images determine the state of the sampler."
    )
    return Finding("How long the Gaussian predicts the sampler", sentence, meaning, (number,), "fig04d_models")


def feature_noise(emerged: xr.Dataset) -> Finding | None:
    """Report at which noise level features of the image are determined, relative to the Gaussian's prediction."""
    found, null = emergence.place(emerged)
    if not all(np.isfinite(value) for value in found[:3]):
        return None
    number = make_number("measured over predicted noise-to-signal ratio at which features are determined", found, null)
    sentence = (
        f"Features are determined at {text_of(number, as_factor, '95 % interval ')} times the noise-to-signal ratio that the "
        f"Gaussian predicts{text_of_null([number], as_factor, f'for the prediction of {NULL_MODEL} the factor is')}."
    )
    if number.low > 1:
        when = "earlier than predicted, while there is still more noise"
    elif number.high < 1:
        when = "later than predicted, when there is less noise"
    else:
        when = "where predicted, within the accuracy of these trajectories"
    meaning = (
        "A feature is a principal component of the training images; the prediction is sigma / alpha = sqrt(variance of the "
        f"component). On average features are determined {when}. A feature can be changed only before the "
        f"sampler reaches {number.value:.2f} times that ratio: coarse features early, details late."
    )
    return Finding("When features are determined", sentence, meaning, (number,), "fig_emergence")


def _with_null(table: pd.DataFrame, swept: Swept) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the sampler's rows with the Gaussian's jump, and those with the null model's, which may be empty."""
    jumped, null = (sweep.truncated(table, swept.sampler, jump) for jump in ("gaussian", sweep.NULL))
    return jumped, null if (null["jump"] == sweep.NULL).any() else null.iloc[:0]


def _at(rows: pd.DataFrame, skipped_steps: int) -> pd.Series | None:
    """Return the row of the largest jump over at most `skipped_steps` steps, or else that of the smallest jump."""
    rows = rows[rows["skipped_steps"] > 0]
    near = rows[rows["skipped_steps"] <= skipped_steps]
    return near.iloc[-1] if len(near) else rows.iloc[0] if len(rows) else None


def _same_jump(rows: pd.DataFrame, row: pd.Series) -> pd.Series | None:
    same = rows[rows["skipped_steps"] == row["skipped_steps"]]
    return same.iloc[0] if len(same) else None


def _calls(row: pd.Series) -> str:
    """Format the network calls of a row."""
    return f"{row['nfe']} network call{'' if row['nfe'] == 1 else 's'}"
