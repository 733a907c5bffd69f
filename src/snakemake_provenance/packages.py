"""Versions of the packages that a script's results can depend on.

These are the packages that the script or a module reached by it imports, and the packages that those compute with.
Tools that only read settings, show progress or transfer files are left out. The part of a version behind a plus sign
(`+cpu`, `+cu126`) names a build: it is left out, so that a laptop and a cluster can share results.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version

DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}
"""Distributions whose name differs from that of the package; others need a slower search."""
IMPLIED = {
    "seaborn": ("matplotlib", "pandas", "numpy"),
    "matplotlib": ("numpy", "PIL"),
    "xarray": ("numpy", "zarr"),
    "zarr": ("numpy", "numcodecs"),
    "sklearn": ("numpy", "scipy"),
    "pandas": ("numpy",),
    "scipy": ("numpy",),
}
"""Packages that a package computes with; requirements in its metadata also name tools and libraries of one machine."""
POWERLESS = frozenset(
    {
        "datasets",
        "dvc",
        "filelock",
        "huggingface_hub",
        "pydantic",
        "pygments",
        "ruamel",
        "safetensors",
        "snakemake",
        "threadpoolctl",
        "tqdm",
        "yaml",
    }
)


@cache
def _version(name: str) -> str | None:
    """Return the version of an importable package without its build; None where it is not installed."""
    try:
        found = version(DISTRIBUTIONS.get(name, name))
    except PackageNotFoundError:
        owners = packages_distributions().get(name)
        if not owners:
            return None
        found = version(owners[0])
    return found.partition("+")[0]


def versions(imported: Iterable[str], implied: Mapping[str, Sequence[str]] | None = None) -> dict[str, str]:
    """Return the versions of packages, and of those that they compute with, by name, sorted.

    Args:
        imported: top-level names, from `code.imported`; those of the standard library are ignored.
        implied: packages that further packages compute with, besides `IMPLIED`.
    """
    known = IMPLIED | dict(implied or {})
    waiting, names = list(imported), set[str]()
    while waiting:
        name = waiting.pop()
        if name in names or name in POWERLESS or name in sys.stdlib_module_names:
            continue
        names.add(name)
        waiting.extend(known.get(name, ()))
    found = {name: _version(name) for name in sorted(names)}
    return {name: text for name, text in found.items() if text}


def changed(started_with: Mapping[str, str]) -> list[str]:
    """Describe each package that is not installed in the given version, reading what is on disk now.

    Args:
        started_with: versions by name, from `versions`.
    """
    _version.cache_clear()
    now = {name: _version(name) or "missing" for name in started_with}
    return [f"{name} is {now[name]}, no longer {text}" for name, text in started_with.items() if now[name] != text]
