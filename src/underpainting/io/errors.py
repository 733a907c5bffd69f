"""What a person gave and has to correct: each problem is an object, one exception carries them, and here they become text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from underpainting.io.messages import shorten

_LONGEST_PART, _LONGEST_MESSAGE = 500, 2000


@dataclass(frozen=True)
class Problem:
    """One thing that cannot be used, and what to do about it.

    Attributes:
        problem: what is wrong, without a full stop.
        remedy: what to do, without a full stop.
        key: the key in the file, dotted; empty if the problem is the file's as a whole.
        file: the file to correct; empty until somebody says which one it is.
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
    """A study file, an argument, or the data or the network that they name cannot be used.

    Its text has one line for each problem, as many as 2,000 characters hold.

    Args:
        problems: all that were found, at least one.
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
    """A file that was asked for, or is needed with one that was, is not there."""


@contextmanager
def problems_of(file: str | Path, key: str = "") -> Iterator[None]:
    """Add the file, and the key above theirs, to the problems that are found within.

    Raises:
        InputError: in place of one without the file.
    """
    try:
        yield
    except InputError as error:
        raise error.within(file, key) from error


@contextmanager
def gathered(problems: list[Problem], file: str | Path = "", key: str = "") -> Iterator[None]:
    """Append the problems that are found within to a list, so that others can be looked for before all are reported."""
    try:
        yield
    except InputError as error:
        problems.extend(error.within(file, key).problems)
