"""Judge the paper's claims by what a study measured: a row per claim, with its interval and whether it holds.

A claim is a bound on a quantity. It is compared with a null model, which knows nothing about the claim; `judge` defines how the
two intervals make a verdict. This project's own targets have `PROJECT_TARGET` as their source. Each module holds the claims of a
topic; the only numbers typed by hand are the paper's values (`paper`) and the bounds.
"""

from underpainting_workflow.claims.claim import Claim, Null, exact, judge

__all__ = ["Claim", "Null", "exact", "judge"]
