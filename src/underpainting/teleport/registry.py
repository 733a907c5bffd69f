"""Registry of jumps: theory, label and style of each. Imports nothing heavy."""

from __future__ import annotations

from typing import Any, NamedTuple

from underpainting.theory.theories import NULL, THEORIES, Theory

NO_JUMP = "none"


class JumpKind(NamedTuple):
    """A jump along the flow of a theory.

    Attributes:
        label: its name in figures and tables.
        theory: theory whose flow it follows.
        text: description for the reference of the study file.
        source: kind of artifact that the theory is read from, if not that of the theory.
        ranked: whether it keeps a number of leading components; then its id is the name with that number.
        own_look: colour and line style in all figures, if not those of the theory.
    """

    label: str
    theory: Theory
    text: str
    source: str = ""
    ranked: bool = False
    own_look: dict[str, Any] | None = None

    @property
    def reads(self) -> str:
        """Kind of its artifact, a key of `theory.loading.READERS`."""
        return self.source or self.theory.reads

    @property
    def look(self) -> dict[str, Any]:
        """Colour and line style in all figures."""
        return self.own_look or self.theory.look


JUMPS: dict[str, JumpKind] = {
    "isotropic": JumpKind(
        "isotropic (null)",
        THEORIES[NULL],
        "the closed form with the same variance along every direction, the null model of the other jumps",
    ),
    "gaussian": JumpKind(
        "Gaussian", THEORIES["gaussian"], "the closed form with every component of the eigenbasis (Eq. 9)"
    ),
    "lowrank": JumpKind(
        "low rank", THEORIES["gaussian"], "the closed form with the `rank` leading components alone", ranked=True
    ),
    "mixture": JumpKind(
        "mixture", THEORIES["mixture"], "the probability flow of the study's Gaussian mixture, integrated"
    ),
    "samples": JumpKind(
        "own samples",
        THEORIES["gaussian"],
        "the closed form with the eigenbasis of the network's own samples, as where training data are not at hand",
        source="samples",
        own_look={"color": "#CC79A7", "linestyle": ":"},
    ),
}
"""Jumps by their names in studies, in the order of figures and tables."""


def kind_of(jump: str) -> JumpKind:
    """Return the kind of a jump by its id: the name, or the name with a number of components (`lowrank16`)."""
    return JUMPS[jump.rstrip("0123456789")]
