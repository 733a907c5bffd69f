"""Judge the paper's claims by a study's measurements: a row per claim, with its interval and whether it holds.

A claim is a bound on a quantity. It is compared with a null model, which lacks the claimed property; `judge` defines
how the two intervals make a verdict. The targets of this project have `PROJECT_TARGET` as their source. Each module
holds the claims of a topic; the only numbers typed by hand are the paper's values (`paper`) and the bounds.
"""

from underpainting_workflow.claims.claim import Claim, Null, exact, judge

__all__ = ["Claim", "Null", "exact", "judge"]
