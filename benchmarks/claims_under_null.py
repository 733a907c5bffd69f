"""How often a claim is `yes` where its data come from its null model: `python -m benchmarks.claims_under_null [TRIALS]`."""

from __future__ import annotations

import sys

from benchmarks.null_artifacts import FAMILIES, PLACES, fractions

TRIALS = 200
MOST = 0.05


def rows(trials: int) -> list[tuple[str, str, float]]:
    """Family, claim and the largest fraction of `yes` over the places of the null."""
    found = []
    for family in FAMILIES:
        print(f"trying {family}", file=sys.stderr)
        places = [fractions(family, place, trials) for place in PLACES]
        found += [(family, claim, max(place[claim] for place in places)) for claim in places[0]]
    return found


def main(arguments: list[str]) -> None:
    """Print the table; end with an error where a claim is `yes` in more than 5 % of the trials."""
    trials = int(arguments[0]) if arguments else TRIALS
    table = rows(trials)
    print(
        f"{trials} trials; the null's mean inside, at or outside of the bound, and the largest fraction of the three.\n"
    )
    print("| family | claim | yes |\n| --- | --- | --- |")
    for family, claim, fraction in table:
        print(f"| {family} | {claim.replace('|', '/')} | {fraction:.1%} |")
    if too_many := [claim for _, claim, fraction in table if fraction > MOST]:
        sys.exit(f"{len(too_many)} claims are `yes` in more than {MOST:.0%} of the trials")


if __name__ == "__main__":
    main(sys.argv[1:])
