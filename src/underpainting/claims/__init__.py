"""The paper's claims as rows of a table: what was measured, with which interval, and whether the claim holds.

A claim is a bound on a number. It is reproduced where the whole 95 % interval lies within the bounds, not reproduced where all of
it lies outside, and undecided else. Goals of our own stand beside the paper's claims, with `OWN_GOAL` as their source. Nothing
here is typed by hand but the paper's own values (`paper.py`) and the bounds.
"""

from underpainting.claims.claim import Claim, judge

__all__ = ["Claim", "judge"]
