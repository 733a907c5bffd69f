"""How often intervals cover a known truth, by simulation: `python -m benchmarks.coverage` prints a table in Markdown.

A case draws values from a law whose statistic is known, and makes the interval that the library would make of them. To add
one, write a function that returns cases and name it in `CASES`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from underpainting.analysis import emergence, statistics
from underpainting.analysis.statistics import Interval, Resampling
from underpainting.noise.levels import DATA, NoiseGrid, vp_level

FloatArray = NDArray[np.float64]
Measure = Callable[..., Interval]
Labels = list[NDArray[np.int64]]
LEAST, MOST = 0.93, 0.97
FEW, MANY = (6, 8), (32, 64, 128, 256)
HEADER = ("interval of", "law", "n", "truth", "trials", "coverage", "within 0.93-0.97")
RESAMPLES = 500
COMPONENTS = 12


@dataclass(frozen=True)
class Case:
    """An interval whose truth is known.

    Attributes:
        name: what the interval is of; where it holds several numbers, a name for each.
        law: where the values come from, in words.
        n: number of seeds.
        draw: makes values and their 95 % interval.
        truth: what it should cover, of the interval's shape.
        trials: number of simulations.
    """

    name: str | tuple[str, ...]
    law: str
    n: int
    draw: Callable[[np.random.Generator], Interval]
    truth: FloatArray
    trials: int = 1000


@dataclass(frozen=True)
class Coverage:
    """What the simulation of one number finds.

    Attributes:
        name, law, n, truth, trials: as in `Case`.
        share: of the trials in which the truth lay within the interval.
        error: standard error of that share, from the number of trials.
    """

    name: str
    law: str
    n: int
    truth: float
    trials: int
    share: float

    @property
    def error(self) -> float:
        """That of a share of 0.95 where all or none of the trials covered."""
        share = self.share if 0 < self.share < 1 else 0.95
        return float((share * (1 - share) / self.trials) ** 0.5)

    def verdict(self) -> str:
        """Does the share lie within the bounds, or beyond by no more than two standard errors?"""
        if LEAST <= self.share <= MOST:
            return "yes"
        beyond = max(LEAST - self.share, self.share - MOST)
        return f"{'below' if self.share < LEAST else 'above'}{', by chance?' if beyond <= 2 * self.error else ''}"


def simulate(case: Case, seed: int = 0) -> list[Coverage]:
    """Coverage of each number of a case; an interval that is not defined (NaN) covers nothing."""
    random = np.random.default_rng(seed)
    intervals = (case.draw(random) for _ in range(case.trials))
    covered = np.mean([(found.low <= case.truth) & (case.truth <= found.high) for found in intervals], 0)
    names = (case.name,) if isinstance(case.name, str) else case.name
    return [
        Coverage(name, case.law, case.n, float(truth), case.trials, float(share))
        for name, truth, share in zip(names, np.atleast_1d(case.truth), np.atleast_1d(covered), strict=True)
    ]


def means() -> Iterator[Case]:
    """Squared errors: gamma and lognormal."""
    laws: dict[str, tuple[Callable[[np.random.Generator, int], FloatArray], float]] = {
        "gamma, shape 1": (lambda random, n: random.gamma(1, size=n), 1.0),
        "gamma, shape 3": (lambda random, n: random.gamma(3, size=n), 3.0),
        "lognormal, sigma 0.5": (lambda random, n: random.lognormal(0, 0.5, n), float(np.exp(0.125))),
        "lognormal, sigma 0.8": (lambda random, n: random.lognormal(0, 0.8, n), float(np.exp(0.32))),
    }
    for law, (values, truth) in laws.items():
        for n in MANY:
            yield Case(
                "mean of squared errors",
                law,
                n,
                lambda random, values=values, n=n: statistics.confidence_interval(values(random, n)),  # type: ignore[misc]
                np.asarray(truth),
                4000,
            )


def _ratio(values: FloatArray, seed: int) -> Interval:
    return statistics.confidence_interval(
        values, lambda mean: np.asarray(mean[0] / mean[1]), resampling=Resampling(resamples=RESAMPLES, seed=seed)
    )


def ratios() -> Iterator[Case]:
    """Ratios of means: of absolute gains (few seeds), and of a residual to a total (many)."""

    def gains(random: np.random.Generator, n: int) -> FloatArray:
        small = np.abs(0.05 * random.standard_normal((n, 3))).mean(1)
        return np.stack([small, np.abs(1.5 + 0.3 * random.standard_normal(n))], 1)

    def residuals(random: np.random.Generator, n: int) -> FloatArray:
        total = random.lognormal(0, 0.3, n)
        return np.stack([0.1 * total * random.lognormal(0, 0.5, n), total], 1)

    kinds = (
        ("absolute gains, normal", gains, 0.05 * (2 / np.pi) ** 0.5 / 1.5, FEW),
        ("residual over total, lognormal", residuals, 0.1 * np.exp(0.125), MANY),
    )
    for law, values, truth, numbers in kinds:
        for n in numbers:
            yield Case(
                "ratio of means",
                law,
                n,
                lambda random, values=values, n=n: _ratio(values(random, n), _seed(random)),  # type: ignore[misc]
                np.asarray(truth),
                1500,
            )


def fits() -> Iterator[Case]:
    """Fits through the origin to 24 gains with a slope of 0.9: theory exact but for it, or 10 % off from case to case."""
    predicted = np.geomspace(0.15, 2.5, 24)
    off = 0.1 * np.random.default_rng(7).standard_normal(24)
    for law, true in (
        ("theory 10 % off", 0.9 * predicted * (1 + off)),
        ("theory 1 % off", predicted * (0.9 + off / 10)),
    ):
        for n in (*FEW, 32):

            def draw(random: np.random.Generator, true: FloatArray = true, n: int = n) -> Interval:
                noise = 0.1 * random.standard_normal((n, 1)) + 0.1 * random.standard_normal((n, 24))
                fit = statistics.fit_through_origin(
                    true * (1 + noise), predicted, resampling=Resampling(resamples=RESAMPLES, seed=_seed(random))
                )
                estimate, low, high = (np.array([one[end] for one in fit]) for end in range(3))
                return Interval(estimate, low, high, n)

            known = statistics.fit_through_origin(np.stack([true, true]), predicted, resampling=Resampling(resamples=1))
            yield Case(
                ("slope of a fit", "R^2 of a fit", "R^2 of theory"),
                f"{law}, noise 14 %, half of it shared",
                n,
                draw,
                np.array([one.estimate for one in known]),
            )


def _coefficients(random: np.random.Generator, n: int, variances: FloatArray, slopes: FloatArray) -> FloatArray:
    """Gaussian coefficients with given slopes at each step, and noise that is largest half-way."""
    image, other = random.standard_normal((2, n, 1, len(variances))) * np.sqrt(variances)
    return np.asarray(slopes * image + slopes * (1 - slopes) * other)


def emergences() -> Iterator[Case]:
    """Emergence, with slopes of theory: for the variances that are assumed, or (ranks alone) for others, 30 % off."""
    grid = NoiseGrid.of([*(vp_level(ratio) for ratio in np.geomspace(100, 0.05, 20)), DATA])
    variances = np.geomspace(100, 1, COMPONENTS)
    off = variances * np.exp(0.3 * np.random.default_rng(3).standard_normal(COMPONENTS))
    (exact, exact_slopes), (shifted, shifted_slopes) = (_theory(real, grid) for real in (variances, off))
    mean = np.exp(np.mean(exact.log_ratio - np.log(variances) / 2))
    rank = statistics.rank_correlation(shifted.step, -variances)

    def steps(coefficients: FloatArray, _: FloatArray, grid: NoiseGrid, resamples: int, seed: int) -> Interval:
        found = emergence.measured_emergence_steps(
            coefficients, grid, resampling=Resampling(resamples=resamples, seed=seed)
        )
        return Interval(found.estimate[::4], found.low[::4], found.high[::4], found.n)

    kinds: tuple[tuple[str | tuple[str, ...], str, Measure, FloatArray, FloatArray, tuple[int, ...]], ...] = (
        (("step of emergence",) * 3, "slopes of theory", steps, exact_slopes, exact.step[::4], (32, 128)),
        (
            "geometric mean of emergence ratios",
            "slopes of theory",
            emergence.mean_emergence_ratio,
            exact_slopes,
            mean,
            MANY,
        ),
        (
            "rank correlation of emergence",
            "slopes of theory",
            emergence.order_correlation,
            exact_slopes,
            np.asarray(1.0),
            MANY,
        ),
        (
            "rank correlation of emergence",
            "30 % off",
            emergence.order_correlation,
            shifted_slopes,
            np.asarray(rank),
            (32, 128),
        ),
    )
    for name, law, measure, slopes, truth, numbers in kinds:
        for n in numbers:

            def draw(
                random: np.random.Generator, n: int = n, slopes: FloatArray = slopes, measure: Measure = measure
            ) -> Interval:
                coefficients = _coefficients(random, n, variances, slopes)
                return measure(coefficients, variances, grid, resamples=200, seed=_seed(random))

            yield Case(name, law, n, draw, np.asarray(truth), 200 if measure is emergence.order_correlation else 400)


def _theory(variances: FloatArray, grid: NoiseGrid) -> tuple[emergence.Emergence, FloatArray]:
    """Where components of given variances emerge on the grid, and their slopes."""
    slopes = np.stack([emergence.gaussian_slope(variances, level) for level in grid])
    return emergence.find_crossings(slopes, emergence.noise_to_signal(grid)), slopes


def proportions() -> Iterator[Case]:
    """Counts; an exact interval covers at least as often as it says, for few counts much more often."""
    for share in (0.01, 0.05, 0.3):
        for n in MANY:
            yield Case(
                "proportion",
                f"binomial, {share}",
                n,
                lambda random, share=share, n=n: statistics.proportion_interval(  # type: ignore[misc]
                    int(random.binomial(n, share)), n
                ),
                np.asarray(share),
                2000,
            )


def paired() -> Iterator[Case]:
    """Differences of two squared errors of the same seeds."""
    for n in MANY:

        def draw(random: np.random.Generator, n: int = n) -> Interval:
            first = random.gamma(2, size=n)
            return statistics.paired_difference(first, first * random.lognormal(0, 0.4, n)).difference

        yield Case("paired difference", "gamma, factor lognormal", n, draw, np.asarray(2 - 2 * np.exp(0.08)))


def clustered() -> Iterator[Case]:
    """Means over prompts and seeds that are crossed: their effects, an interaction, and a ratio of two such means."""

    def squared(random: np.random.Generator, prompts: int, seeds: int) -> FloatArray:
        effects = 0.4 * random.standard_normal((prompts, 1)) + 0.3 * random.standard_normal(seeds)
        return np.asarray(np.exp(effects + 0.3 * random.standard_normal((prompts, seeds)))).ravel()

    truth = float(np.exp((0.4**2 + 0.3**2 + 0.3**2) / 2))
    for prompts, seeds in ((4, 4), (8, 8), (16, 8), (36, 8)):
        labels = [np.repeat(np.arange(prompts), seeds), np.tile(np.arange(seeds), prompts)]

        def mean(
            random: np.random.Generator, size: tuple[int, int] = (prompts, seeds), labels: Labels = labels
        ) -> Interval:
            kept = Resampling(resamples=RESAMPLES, seed=_seed(random))
            return statistics.clustered_interval(squared(random, *size), labels, resampling=kept)

        def ratio(
            random: np.random.Generator, size: tuple[int, int] = (prompts, seeds), labels: Labels = labels
        ) -> Interval:
            first, kept = squared(random, *size), Resampling(resamples=RESAMPLES, seed=_seed(random))
            both = np.stack([first * random.lognormal(0, 0.3, len(first)), first], 1)
            return statistics.clustered_interval(both, labels, lambda one: np.asarray(one[0] / one[1]), kept)

        law = f"lognormal, {prompts} prompts x {seeds} seeds"
        yield Case("mean over prompts and seeds", law, prompts * seeds, mean, np.asarray(truth), 400)
        yield Case("ratio over prompts and seeds", law, prompts * seeds, ratio, np.asarray(np.exp(0.045)), 400)


CASES: tuple[Callable[[], Iterable[Case]], ...] = (means, ratios, fits, emergences, proportions, paired, clustered)


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))


def row(found: Coverage) -> str:
    """A row of the table."""
    coverage = f"{found.share:.3f} +/- {found.error:.3f}"
    cells = (found.name, found.law, found.n, f"{found.truth:.4g}", found.trials, coverage, found.verdict())
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Simulate every case and print its rows as they come."""
    print(f"| {' | '.join(HEADER)} |\n|{' --- |' * len(HEADER)}", flush=True)
    for cases in CASES:
        print(f"simulating {cases.__name__}", file=sys.stderr, flush=True)
        for case in cases():
            for found in simulate(case):
                print(row(found), flush=True)
    print(
        "\nAfter +/- the standard error of the simulation. An exact interval of a count is conservative: above is no fault there."
    )


if __name__ == "__main__":
    main()
