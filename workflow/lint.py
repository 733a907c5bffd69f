"""Snakemake's own lint, all of it but one: software comes from the project's pinned environment, not from conda."""

import re
import subprocess
import sys

ACCEPTED = "Specify a conda environment or container for each rule."


def remarks(text: str) -> list[str]:
    """What remains of Snakemake's remarks, each with the place that it is about."""
    found, place = [], ""
    for line in text.splitlines():
        if line.startswith("Lints for "):
            place = line.removeprefix("Lints for ").rstrip(":")
        elif (remark := re.match(r"    \* (.*?):?$", line)) and remark[1].rstrip(":") != ACCEPTED:
            found.append(f"{place}: {remark[1]}")
    return found


def main() -> int:
    """Run the lint, print what remains; the exit status says whether anything does."""
    command = [sys.executable, "-m", "snakemake", "--lint"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode and "Lints for " not in result.stdout:
        print(result.stdout)
        return 1
    found = remarks(result.stdout)
    print("\n".join(found) or "snakemake --lint: nothing to remark")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
