"""End a run of Snakemake, while it reads the Snakefile, with a single message."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from snakemake.exceptions import WorkflowError

from snakemake_provenance.messages import shown

_REMEDIES = {
    errno.ENOENT: "bring back what belongs there, or remove it",
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room within your quota",
    errno.EROFS: "work in a folder that can be written",
    errno.EACCES: "give yourself the right to read and write it",
    errno.EPERM: "give yourself the right to read and write it",
}


class Refused(WorkflowError):  # type: ignore[misc]  # noqa: N818  Snakemake has no types, and prints the name
    """An error that the user has to correct.

    Snakemake prints the class, the message, and every line of the Snakefile that it finds in `__traceback__`; there is
    none, since the Snakefile is not wrong.
    """

    @property
    def __traceback__(self) -> None:
        return None

    @__traceback__.setter
    def __traceback__(self, _: object) -> None:
        pass


@contextmanager
def refusing(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors of given types into the message that ends the run.

    Raises:
        Refused: in place of one of them.
    """
    try:
        yield
    except errors as error:
        raise Refused(of_system(error) if isinstance(error, OSError) else str(error)) from None


def of_system(error: OSError) -> str:
    """Describe an error of the operating system in one line, with the remedy."""
    file = error.filename2 or error.filename  # the second is what a rename would replace
    place = f"{shown(str(file))}: " if file else "a file below .snakemake or results: "
    remedy = _REMEDIES.get(error.errno or 0, "see that it can be read and written, or remove it")
    return f"{place}{error.strerror or error}. Remedy: {remedy}."
