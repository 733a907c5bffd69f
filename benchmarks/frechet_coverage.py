"""How often intervals of Frechet distances hold the truth: a simulation that prints a table in Markdown.

Generated and real features are skewed and not negative, as a classifier's are, or Gaussian, where the truth is known in closed
form. A second set of generated features from the same seeds is nearer to the real ones, for the loss. Run
`python -m benchmarks.frechet_coverage`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from underpainting.quality import frechet
from underpainting.quality.frechet import BootstrapDistance, FloatArray, RealMoments

FEATURES, REAL_IMAGES, LARGE = 64, 5000, 400_000
COUNTS = (128, 200, 400, 500, 800, 2000)
TRIALS = {128: 150, 200: 120, 400: 100, 500: 100, 800: 80, 2000: 40}
Interval = tuple[float, float]


class Distribution(NamedTuple):
    """Features of decaying variance k^-power, moved and stretched.

    Attributes:
        gaussian: or SiLU of a Gaussian mixture.
        power: of the decay.
        shift: how far away from the real features.
        stretch: how much wider than these.
    """

    gaussian: bool
    power: float
    shift: float = 0.0
    stretch: float = 1.0

    def _gaussian(self) -> tuple[FloatArray, FloatArray]:
        """Mean, and the factor of the covariance."""
        random = np.random.default_rng(0)
        turn = np.linalg.qr(random.standard_normal((FEATURES, FEATURES)))[0]
        factor = (turn * np.arange(1, FEATURES + 1) ** (-self.power / 2)).T * 3 * self.stretch
        mean, direction = random.standard_normal((2, FEATURES))
        return 0.5 * mean - 0.3 + self.shift * direction, factor

    def draw(self, count: int, seed: int) -> FloatArray:
        """Features, shape (sample, feature)."""
        random = np.random.default_rng(seed)
        mean, factor = self._gaussian()
        values = random.standard_normal((count, FEATURES))
        if self.gaussian:
            return np.asarray(values @ factor + mean)
        first = values[:, :20]
        values[:, :20] = np.where(random.random(first.shape) < 0.3, 1.6 * first + 0.5, 0.7 * first - 0.2)
        values = values @ factor + mean
        return np.asarray(values / (1 + np.exp(-values)))

    def distance(self, real: RealMoments) -> float:
        """The truth: in closed form, or from the moments of a very large sample."""
        if self.gaussian:
            mean, factor = self._gaussian()
            return frechet.gaussian_distance(mean, factor.T @ factor, real)
        large = self.draw(LARGE, 1)
        return frechet.gaussian_distance(large.mean(0), np.cov(large, rowvar=False), real)


class Case(NamedTuple):
    """A situation whose intervals are judged.

    Attributes:
        name: of it.
        near: the better of two sets.
        far: the worse.
    """

    name: str
    near: Distribution
    far: Distribution


CASES = (
    Case("skewed, k^-1.5", Distribution(False, 1.5, 0.1, 1.07), Distribution(False, 1.5, 0.15, 1.1)),
    Case("skewed, k^-2, far", Distribution(False, 2.0, 0.28), Distribution(False, 2.0, 0.4)),
    Case("skewed, k^-2, as real images", Distribution(False, 2.0), Distribution(False, 2.0, 0.15)),
    Case("Gaussian, k^-1.5", Distribution(True, 1.5, 0.07, 1.07), Distribution(True, 1.5, 0.1, 1.1)),
)


class Coverage(NamedTuple):
    """An interval to judge, as the cases of other statistics have it.

    Attributes:
        name: what the interval is of, and where.
        n: number of images.
        draw: makes an interval from a seed.
        truth: what it should hold.
    """

    name: str
    n: int
    draw: Callable[[int], Interval]
    truth: float

    def share(self, trials: int) -> float:
        """Of trials whose interval holds the truth."""
        ends = [self.draw(seed) for seed in range(10, 10 + trials)]
        return float(np.mean([low <= self.truth <= high for low, high in ends]))


class Situation:
    """A case at one number of images: its trials, kept because several intervals come from each."""

    def __init__(self, case: Case, n: int, real: RealMoments, floor: float, truths: tuple[float, float]) -> None:
        self.case, self.n, self.real, self.floor, self.truths = case, n, real, floor, truths
        self.kept: dict[int, tuple[BootstrapDistance, BootstrapDistance]] = {}

    def trial(self, seed: int) -> tuple[BootstrapDistance, BootstrapDistance]:
        """Bootstrap of the nearer and the farther set, from the same seeds."""
        if seed not in self.kept:
            near, far = (
                frechet.bootstrap(one.draw(self.n, seed), self.real) for one in (self.case.near, self.case.far)
            )
            self.kept[seed] = near, far
        return self.kept[seed]

    def coverages(self) -> Iterator[Coverage]:
        """Intervals of both distances at infinite n, and of the loss between them."""
        near, far = self.truths
        yield Coverage("near", self.n, lambda seed: self.trial(seed)[0].infinite_interval(), near)
        yield Coverage("far", self.n, lambda seed: self.trial(seed)[1].infinite_interval(), far)
        loss = max(far, self.floor) / max(near, self.floor) - 1
        yield Coverage("loss", self.n, self._loss, loss)

    def _loss(self, seed: int) -> Interval:
        near, far = self.trial(seed)
        return frechet.relative_loss(far, near, self.floor)[1:]

    def bias(self) -> tuple[float, float, float]:
        """Of the farther set: excess at n, bias at infinite n and its standard error."""
        found = [far for _, far in self.kept.values()]
        infinite = np.array([one.infinite for one in found])
        excess = np.mean([one.estimate for one in found]) - self.truths[1]
        return float(excess), float(infinite.mean() - self.truths[1]), float(infinite.std() / np.sqrt(len(found)))


HEADER = "| features | n | near | far | loss | FD | FD at n - FD | bias of FD_inf | of FD | of FD at n | trials |"


def main() -> None:
    """Print coverage of 95 % intervals and bias, a row for each case and number of images."""
    print(HEADER, "| --- " * HEADER.count(" |") + "|", sep="\n")
    for case in CASES:
        images = Distribution(case.near.gaussian, case.near.power).draw(REAL_IMAGES, 0)
        real = RealMoments.of(images)
        truths = case.near.distance(real), case.far.distance(real)
        for n in COUNTS:
            situation = Situation(case, n, real, frechet.estimate_floor(images, n).infinite, truths)
            shares = " | ".join(f"{one.share(TRIALS[n]):.3f}" for one in situation.coverages())
            excess, bias, error = situation.bias()
            print(
                f"| {case.name} | {n} | {shares} | {truths[1]:.4f} | {excess:.4f} | {bias:.4f} ± {error:.4f} "
                f"| {bias / truths[1]:.1%} | {bias / (truths[1] + excess):.1%} | {TRIALS[n]} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
