"""The paper's claims as rows of a table: what was measured, with which interval, and whether the claim holds.

A claim is a bound on a number, and beside it stands what a null model gives: a model that knows nothing of what the claim is
about. `judge` says how the two intervals make a verdict. This project's targets stand beside the paper's claims, with
`PROJECT_TARGET` as their source. Nothing here is typed by hand but the paper's own values (`paper.py`) and the bounds.
"""

from underpainting_workflow.claims.claim import Claim, Null, exact, judge

__all__ = ["Claim", "Null", "exact", "judge"]
