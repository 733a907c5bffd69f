"""The five findings with the largest consequences for a user, in words and numbers: the front page of a study's report.

Each is made from what the study has measured, with its 95 % interval, and beside it what the null model, an isotropic Gaussian,
gives at the same place. What was not measured is left out, and so is a finding of which nothing was: no number is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite, nan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from underpainting.analysis import statistics
from underpainting.analysis.departure import NOTICEABLE, departure
from underpainting.analysis.statistics import Interval
from underpainting.samplers.registry import SAMPLERS
from underpainting.teleport import sweep
from underpainting_workflow.claims import emergence

FEW_CALLS = 10
SHARE = 0.4
"""Of the steps: the jump that is looked at where the study does not say which one is free."""
NULL_MODEL = "an isotropic Gaussian"
"""It knows the mean and the total variance alone, as the front page says."""


class Number(NamedTuple):
    """A number of a finding.

    Attributes:
        name: what it is.
        value: measured; a share or a change is a fraction.
        low, high: ends of its 95 % interval.
        null: the same of the null model; NaN where it was not measured.
        null_low, null_high: ends of its 95 % interval.
        n: images, or trajectories, behind `value`.
    """

    name: str
    value: float
    low: float
    high: float
    null: float
    null_low: float
    null_high: float
    n: int


class Finding(NamedTuple):
    """One finding.

    Attributes:
        title: a few words.
        sentence: the numbers in plain English.
        meaning: what follows from them for a user, or limits them.
        numbers: those in the sentence, and no others.
        figure: the file name, without its ending, of the figure that shows them.
    """

    title: str
    sentence: str
    meaning: str
    numbers: tuple[Number, ...]
    figure: str

    def plain(self) -> dict[str, Any]:
        """The finding as values for JSON, which has no NaN."""
        numbers = [
            {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in one.items()}
            for one in (number._asdict() for number in self.numbers)
        ]
        return {**self._asdict(), "numbers": numbers}


class Swept(NamedTuple):
    """The sampler whose skips are reported.

    Attributes:
        sampler: its id.
        label: its name in figures, e.g. `DDIM, 50 steps`.
        steps: that it takes without a jump.
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
    """The findings that a study's results can speak to, the most useful first.

    Args:
        table: `teleport.csv`.
        gaussian: errors of the Gaussian along the headline sampler, and of the isotropic one.
        emerged: `emergence/SAMPLER.zarr.zip`.
        swept: the sampler whose skips are reported.
        followed: label of the sampler that the Gaussian is compared with.
        jumps: names of the jumps before few calls, by id.
    """
    few = sweep.few_calls(table)
    made = (
        saved(table, swept),
        few_calls(few, jumps) if len(few) else skipped(table, swept),
        moved(table, swept),
        holds(gaussian, followed),
        fixed(emerged),
    )
    return [finding for finding in made if finding]


def saved(table: pd.DataFrame, swept: Swept) -> Finding | None:
    """How many network calls a jump saves before a measure of quality grows by more than is tolerated."""
    jumped, null = _with_null(table, swept)
    names = sweep.measure_names(str(table["extractor"].iloc[0]))
    known = [loss for loss in names if len(jumped) and jumped[loss].notna().any()]
    choices = {"all measures": sweep.LOSSES, f"the {names['loss']} alone": ["loss"]}
    found = {text: sweep.skippable(jumped, losses) for text, losses in choices.items()}
    every = found["all measures"]
    if every is None or None in found.values() or not (jumped["skip"] > 0).any():
        return None
    beside = [sweep.skippable(null, losses) for losses in choices.values()]
    numbers = [
        _number(f"share of network calls saved, by {text}", _saved(one), _saved(other))
        for (text, one), other in zip(found.items(), beside, strict=True)
    ]
    which = f"any of {len(known)} measures" if len(known) > 1 else f"the {names[known[0]]}"
    null_saves = _beside(numbers, _share, f"the jump of {NULL_MODEL} saves")
    sentence = (
        f"A jump saves {_text(numbers[0], _share, '95 % interval ')} of the network calls of {_named(swept.label)} "
        f"({every.skip} steps skipped) before {which} grows by more than {100 * sweep.TOLERANCE:g} %; by the "
        f"{names['loss']} alone it saves {_text(numbers[1], _share)}{null_saves}."
    )
    tried = sorted(jumped.loc[jumped["skip"] > 0, "skip"])
    measures, skips = _listed([names[loss] for loss in known]), _listed([str(skip) for skip in tried])
    meaning = (
        f"Measured are: {measures}. Tried were jumps over {skips} "
        f"of {swept.steps} steps; what can be saved lies between the jump that is named and the next one tried."
    )
    return Finding("What a jump saves", sentence, meaning, tuple(numbers), "fig04f_fidelity")


def _saved(found: sweep.Skippable | None) -> Interval | None:
    if found is None:
        return None
    estimate, low, high = (np.asarray(share) for share in (found.share, found.share_low, found.share_high))
    return Interval(estimate, low, high, found.n)


def few_calls(few: pd.DataFrame, jumps: Mapping[str, str]) -> Finding | None:
    """What the best jump brings at the fewest network calls that were swept, and at ten.

    Args:
        few: rows of `sweep.few_calls`.
        jumps: names of the jumps, by id.
    """
    real = few[~few["jump"].isin([sweep.NO_JUMP, sweep.NULL]) & few["loss"].notna() & sweep.judged(few).notna()]
    if real.empty:
        return None
    fewest = real[real["nfe"] == real["nfe"].min()]
    choices = {int(rows["nfe"].max()): rows for rows in (fewest, sweep.within(real, FEW_CALLS)) if len(rows)}
    sentences, numbers = [], []
    for rows in choices.values():
        best = _least(rows)
        found = _losses(best, _best_null(few, best))
        name, label = jumps.get(str(best["jump"]), str(best["jump"])), SAMPLERS[best["solver"]].label
        sentences.append(
            f"With {_calls(best)} the best jump ({name}, over {best['skip']} % of the network's time, before {label}) "
            f"{_changes(found)}"
        )
        numbers += [number._replace(name=f"{number.name}, {_calls(best)}") for number in found.values()]
    meaning = (
        "Less is better; compared is the same sampler with as many calls and no jump. The best of all jumps tried "
        f"({real['jump'].nunique()} models and their skips) is chosen by the very distance that is reported, which is "
        "therefore a little too good."
    )
    return Finding(
        "What a jump brings at few network calls", " ".join(sentences), meaning, tuple(numbers), "fig_budget"
    )


def _best_null(few: pd.DataFrame, best: pd.Series) -> pd.Series | None:
    """The null model's best jump with the same sampler and calls."""
    same = (few["jump"] == sweep.NULL) & (few["solver"] == best["solver"]) & (few["nfe"] == best["nfe"])
    rows = few[same & sweep.judged(few).notna()]
    return _least(rows) if len(rows) else None


def _least(rows: pd.DataFrame) -> pd.Series:
    """The row with the least distance."""
    return rows.iloc[int(sweep.judged(rows).to_numpy().argmin())]


def skipped(table: pd.DataFrame, swept: Swept) -> Finding | None:
    """What a jump over 40 % of the steps does to image quality, for a study without a sweep at few calls."""
    jumped, null = _with_null(table, swept)
    row = _at(jumped[jumped["loss"].notna()], int(SHARE * swept.steps))
    if row is None:
        return None
    found = _losses(row, _same_skip(null, row))
    sentence = f"A jump over {row['skip']} steps of {_named(swept.label)} {_changes(found)}"
    meaning = f"Less is better; compared is the same sampler without a jump. The jump leaves {_calls(row)}."
    return Finding("What a jump costs", sentence, meaning, tuple(found.values()), "fig17_skipping")


def _losses(row: pd.Series, null: pd.Series | None) -> dict[str, Number]:
    """The losses of a row that are known, by measure, beside those of the null model's row."""
    names = sweep.measure_names(str(row["extractor"]))
    return {
        name: _number(f"change of the {name}", _of_row(row, loss), _of_row(null, loss))
        for loss, name in names.items()
        if pd.notna(row[loss])
    }


def _changes(found: Mapping[str, Number]) -> str:
    """The losses in words, the end of a sentence."""
    parts: list[str] = []
    for name, number in found.items():
        limit, bracket = (", at infinitely many images,", "95 % interval ") if not parts else ("", "")
        parts.append(f"the {name}{limit} by {_text(number, _change, bracket)}")
    return f"changes {_listed(parts)}{_beside(found.values(), _change, f'the jump of {NULL_MODEL} changes them by')}."


_END = "rmse_to_network"


def moved(table: pd.DataFrame, swept: Swept) -> Finding | None:
    """How far a jump moves the network's own images for good."""
    jumped, null = _with_null(table, swept)
    free = sweep.skippable(jumped)
    place = free.skip if free and free.skip else int(SHARE * swept.steps)
    row = _at(jumped[jumped["rmse_of_jump"].notna()], place)
    if row is None:
        return None
    jump = _number("rmse of the jump", _of_row(row, "rmse_of_jump"), None)
    beside, plain = _same_skip(null, row), jumped[jumped["skip"] == 0]
    ends = [
        _number("rmse to the network without a jump", _of_row(plain.iloc[0] if len(plain) else None, _END), None),
        _number("rmse to the network after the jump", _of_row(row, _END), _of_row(beside, _END)),
    ]
    sentence = (
        f"A jump over {row['skip']} steps of {_named(swept.label)} moves the network's own images by "
        f"{_text(jump, _plain, '95 % interval ')}, root mean square per pixel of values from -1 to 1, however many network "
        "calls follow."
    )
    known = {when: end for when, end in zip(("without a jump", "after it"), ends, strict=True) if isfinite(end.value)}
    if known:
        parts = [f"{_text(end, _plain)} {when}" for when, end in known.items()]
        null_ends = _beside(known.values(), _plain, f"after the jump of {NULL_MODEL}")
        sentence += f" The sampler's images end away from them by {_listed(parts)}{null_ends}."
    numbers = (jump, *known.values())
    meaning = (
        "The network's own images are its probability flow from the same noise, solved in many small steps. What the jump moves "
        "cannot be won back by more calls; what the sampler adds can."
    )
    return Finding("What a jump changes for good", sentence, meaning, numbers, "fig04e_hybrid")


def holds(gaussian: xr.Dataset, followed: str) -> Finding | None:
    """For how long the Gaussian, without a network call, follows the sampler."""
    if gaussian.sizes["sample"] < 2:
        return None
    left = departure(gaussian)
    isotropic = departure(xr.Dataset({"state_error": gaussian["isotropic_state_error"]}))
    found, null = (statistics.within(statistics.of_means(values), 0, 1) for values in (left, isotropic))
    number = _number("share of the steps until the Gaussian leaves", found, null)
    sentence = (
        f"The Gaussian, which calls no network, follows {_named(followed)} for {_text(number, _share, '95 % interval ')} of the "
        f"steps, until its squared error per pixel is above {NOTICEABLE:g}"
        f"{_beside([number], _share, f'{NULL_MODEL} does so for')}."
    )
    meaning = (
        f"A mean over {number.n} trajectories, of which {_share(float((left == 1).mean()))} are followed to the end; an error of "
        f"{NOTICEABLE:g} is one of {100 * NOTICEABLE**0.5 / 2:g} % of the range of values. Until then mean and covariance of the "
        "training images say where the sampler is."
    )
    return Finding("How long the Gaussian holds", sentence, meaning, (number,), "fig04d_models")


def fixed(emerged: xr.Dataset) -> Finding | None:
    """At which noise the features of an image are fixed, measured against the Gaussian's prediction."""
    found, null = emergence.place(emerged)
    if not all(np.isfinite(value) for value in found[:3]):
        return None
    number = _number("measured over predicted noise-to-signal ratio at which features are fixed", found, null)
    sentence = (
        f"Features are fixed at {_text(number, _factor, '95 % interval ')} times the noise-to-signal ratio that the Gaussian "
        f"predicts{_beside([number], _factor, f'of what {NULL_MODEL} predicts it is')}."
    )
    if number.low > 1:
        when = "earlier than predicted, while there is still more noise"
    elif number.high < 1:
        when = "later than predicted, when there is less noise"
    else:
        when = "where predicted, as far as these trajectories can tell"
    meaning = (
        "A feature is a principal component of the training images; the prediction is sigma / alpha = sqrt(variance of the "
        f"component). On average features are fixed {when}. Whoever wants to change one must do so before the "
        f"sampler comes to {number.value:.2f} times that ratio: coarse features early, details late."
    )
    return Finding("When features are fixed", sentence, meaning, (number,), "fig_emergence")


def _with_null(table: pd.DataFrame, swept: Swept) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the sampler after the Gaussian's jump, and after the null model's: none where it did not jump."""
    jumped, null = (sweep.truncated(table, swept.sampler, jump) for jump in ("gaussian", sweep.NULL))
    return jumped, null if (null["jump"] == sweep.NULL).any() else null.iloc[:0]


def _at(rows: pd.DataFrame, skip: int) -> pd.Series | None:
    """The row of the largest jump that is not beyond `skip`, else of the smallest one."""
    rows = rows[rows["skip"] > 0]
    near = rows[rows["skip"] <= skip]
    return near.iloc[-1] if len(near) else rows.iloc[0] if len(rows) else None


def _same_skip(rows: pd.DataFrame, row: pd.Series) -> pd.Series | None:
    same = rows[rows["skip"] == row["skip"]]
    return same.iloc[0] if len(same) else None


def _of_row(row: pd.Series | None, column: str) -> Interval | None:
    if row is None:
        return None
    estimate, low, high = (np.asarray(row[f"{column}{end}"], np.float64) for end in ("", "_low", "_high"))
    return Interval(estimate, low, high, int(row["n"]))


def _number(name: str, found: Interval | None, null: Interval | None) -> Number:
    """A number from its interval and the null model's."""
    unknown = Interval(np.asarray(nan), np.asarray(nan), np.asarray(nan), 0)
    measured, beside = found or unknown, null or unknown
    value, low, high = (float(end) for end in measured[:3])
    null_value, null_low, null_high = (float(end) for end in beside[:3])
    return Number(name, value, low, high, null_value, null_low, null_high, measured.n)


def _beside(numbers: Iterable[Number], form: Callable[[float], str], what: str) -> str:
    """What the null model gives, in the order of the numbers, as the end of a sentence; nothing where it is unknown."""
    texts = [_bracketed(one.null, one.null_low, one.null_high, form) for one in numbers if isfinite(one.null)]
    return f"; {what} {_listed(texts)}" if texts else ""


def _text(number: Number, form: Callable[[float], str], what: str = "") -> str:
    """A number and its interval."""
    return _bracketed(number.value, number.low, number.high, form, what)


def _bracketed(value: float, low: float, high: float, form: Callable[[float], str], what: str = "") -> str:
    ends = f" ({what}{form(low)} to {form(high)})" if isfinite(low) and isfinite(high) else ""
    return f"{form(value)}{ends}"


def _listed(parts: Sequence[str]) -> str:
    """Parts as English joins them."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _calls(row: pd.Series) -> str:
    """The network calls of a row."""
    return f"{row['nfe']} network call{'' if row['nfe'] == 1 else 's'}"


def _named(label: str) -> str:
    """`DDIM, 50 steps` as a sentence names it."""
    return label.replace(", ", " with ", 1)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _change(value: float) -> str:
    return f"{100 * value:+.0f} %" if abs(value) >= 1 else f"{100 * value:+.1f} %"


def _plain(value: float) -> str:
    return f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.2g}"


def _factor(value: float) -> str:
    return f"{value:.2f}"
