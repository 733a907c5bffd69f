"""Errors in the user's input: problems as objects, and the exceptions that hold them and print them as text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from underpainting.io.messages import shorten

_LONGEST_PART, _LONGEST_MESSAGE = 500, 2000


@dataclass(frozen=True)
class Problem:
    """One problem of the user's input, and its remedy.

    Attributes:
        problem: what is wrong, without a full stop.
        remedy: what to do, without a full stop.
        key: the key in the file, dotted; empty if the problem concerns the complete file.
        file: the file to correct; empty until it is known.
    """

    problem: str
    remedy: str
    key: str = ""
    file: str = ""

    def within(self, file: str | Path = "", key: str = "") -> Problem:
        """Return the same problem with the file, and with its key below another key."""
        return replace(self, key=".".join(filter(None, (key, self.key))), file=self.file or str(file))

    def __str__(self) -> str:
        place = "".join(f"{shorten(part)}: " for part in (self.file, self.key) if part)
        return f"{place}{shorten(self.problem, _LONGEST_PART)}. Remedy: {shorten(self.remedy, _LONGEST_PART)}."


class InputError(ValueError):
    """Error for a study file, an argument, or data or a network named there, that cannot be used.

    Its text has one line for each problem, as many as fit into 2,000 characters.

    Args:
        problems: all problems found, at least one.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def within(self, file: str | Path = "", key: str = "") -> InputError:
        """Return an error with the file of its problems, and with their keys below another key."""
        return InputError(*(problem.within(file, key) for problem in self.problems))

    def __str__(self) -> str:
        lines: list[str] = []
        for line in map(str, self.problems):
            if lines and sum(map(len, [*lines, line])) + len(lines) > _LONGEST_MESSAGE - 50:
                return "\n".join([*lines, f"and {len(self.problems) - len(lines)} more problems"])
            lines.append(line)
        return "\n".join(lines)


class MissingFileError(InputError, FileNotFoundError):
    """Error for a missing file, requested by the user or needed beside one that was."""


@contextmanager
def problems_of(file: str | Path, key: str = "") -> Iterator[None]:
    """Add the file, and a parent key, to the problems raised within the context.

    Raises:
        InputError: in place of one without the file.
    """
    try:
        yield
    except InputError as error:
        raise error.within(file, key) from error


@contextmanager
def gathered(problems: list[Problem], file: str | Path = "", key: str = "") -> Iterator[None]:
    """Append the problems raised within the context to a list, so that all can be reported together."""
    try:
        yield
    except InputError as error:
        problems.extend(error.within(file, key).problems)
