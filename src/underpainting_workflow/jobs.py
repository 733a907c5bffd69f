"""Code and packages that the results of a script depend on."""

from __future__ import annotations

from pathlib import Path

from snakemake_provenance import code, packages

PACKAGES = tuple(Path(__file__).parents[1] / name for name in ("underpainting", "underpainting_workflow"))
APART = (
    "underpainting.meter",
    *(f"underpainting_workflow.{name}" for name in ("cli", "jobs", "runner", "usage")),
)
"""Modules that no result depends on."""
IMPLIED = {
    "torch_fidelity": ("torch", "torchvision", "scipy", "numpy"),
    "torchdiffeq": ("torch",),
    "diffusers": ("torch",),
}
"""What these packages compute with."""


def modules_of(name: str) -> tuple[str, ...]:
    """The module that a job's code names beside its script, as in `draw_figure:drawing.score`."""
    module = name.partition(":")[2]
    return (f"{PACKAGES[1].name}.{module}",) if module else ()


def code_of(folder: Path, name: str) -> dict[str, str]:
    """Digests of a script and of all that it reaches in the library, by file.

    Args:
        folder: of the scripts.
        name: SCRIPT, or SCRIPT:MODULE where the script imports a module of this package by its name.
    """
    return code.parts(folder / f"{name.partition(':')[0]}.py", PACKAGES, APART, modules_of(name))


def packages_of(folder: Path, name: str) -> dict[str, str]:
    """Versions of the packages that a job's results can depend on; arguments as of `code_of`."""
    script = folder / f"{name.partition(':')[0]}.py"
    return packages.versions(code.imported(script, PACKAGES, APART, modules_of(name)), IMPLIED)
