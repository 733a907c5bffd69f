"""How often a claim is `yes` where its data come from its null model: `python -m benchmarks.claims_under_null [TRIALS]`.

A claim whose null lies just on its bound is `yes` in 2.5 % of the trials at best, and in 200 trials such a rate is off by one per
cent or two. So each fraction has its exact binomial interval, and a claim passes too often where that excludes 5 %.
"""

from __future__ import annotations

import sys

from benchmarks.null_artifacts import FAMILIES, PLACES, fractions
from underpainting.analysis import statistics

TRIALS = 200
MOST = 0.05


def rows(family: str, trials: int) -> dict[str, float]:
    """Claims of a family, each with the largest fraction of `yes` over the places of the null."""
    places = [fractions(family, place, trials) for place in PLACES]
    return {claim: max(place[claim] for place in places) for claim in places[0]}


def main(arguments: list[str]) -> None:
    """Print the table, family by family; end with an error where a claim is surely `yes` in more than 5 % of the trials."""
    trials, too_many = int(arguments[0]) if arguments else TRIALS, 0
    print(
        f"{trials} trials; the null's mean inside, at or outside of the bound, and the largest fraction of the three.\n"
    )
    print("| family | claim | yes | 95 % interval |\n| --- | --- | --- | --- |", flush=True)
    for family in FAMILIES:
        for claim, fraction in rows(family, trials).items():
            found = statistics.proportion_interval(round(fraction * trials), trials)
            print(f"| {family} | {claim} | {fraction:.1%} | {found.low:.1%} to {found.high:.1%} |", flush=True)
            too_many += bool(found.low > MOST)
    if too_many:
        sys.exit(f"{too_many} claims are `yes` in more than {MOST:.0%} of the trials")


if __name__ == "__main__":
    main(sys.argv[1:])
