"""`python -m benchmarks.job MODULE FUNCTION ARGUMENTS`: one call in a process of its own, its duration and peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import seconds

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cost:
    """What a call took.

    Attributes:
        seconds: its duration; the start of the process and its imports are not counted.
        gibibytes: peak resident memory of its process, everything counted. At least what this process holds when it
            starts the other, since Linux carries that over: measure from a small one.
    """

    seconds: float
    gibibytes: float


def cost(module: str, function: str, **arguments: Any) -> Cost:
    """Call a function of a module, its arguments as JSON can hold them, in a process of its own.

    Raises:
        RuntimeError: the call failed; the message holds what the process wrote.
    """
    command = [sys.executable, "-m", "benchmarks.job", module, function, json.dumps(arguments)]
    print(f"  {module}.{function}", file=sys.stderr, flush=True)
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{module}.{function} failed; mend what it says and run again:\n{result.stderr}")
    return Cost(**json.loads(result.stdout.splitlines()[-1]))


def main(module: str, function: str, arguments: str) -> None:
    """Call, then print duration and peak memory as JSON."""
    action = getattr(import_module(module), function)
    duration = seconds(lambda: action(**json.loads(arguments)))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
    print(json.dumps({"seconds": duration, "gibibytes": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
