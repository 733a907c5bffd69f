"""Ends a run of Snakemake, while it reads the Snakefile, with one message and nothing after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from snakemake.exceptions import WorkflowError


class Refused(WorkflowError):  # type: ignore[misc]  # noqa: N818  Snakemake has no types, and prints the name
    """What the person has to put right.

    Snakemake prints the class, the message, and every line of the Snakefile that it finds in `__traceback__`; there is none,
    since the Snakefile is not what is wrong.
    """

    @property
    def __traceback__(self) -> None:
        return None

    @__traceback__.setter
    def __traceback__(self, _: object) -> None:
        pass


@contextmanager
def refusing(*errors: type[Exception]) -> Iterator[None]:
    """Turn such errors into the message that ends the run.

    Raises:
        Refused: in place of one of them.
    """
    try:
        yield
    except errors as error:
        raise Refused(str(error)) from None
