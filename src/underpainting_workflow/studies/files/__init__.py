"""Paths of a study's artifacts below `results/STUDY`, as requested by the rules, and the settings of their jobs.

Pure functions of a study's name and its models; the rules wrap them with wildcards.
"""

from underpainting_workflow.studies.files import (
    low_nfe,
    planner,
    products,
    residual,
    shown,
    solution,
    sources,
    stages,
    sweep,
    theories,
    trajectories,
)

__all__ = [
    "low_nfe",
    "planner",
    "products",
    "residual",
    "shown",
    "solution",
    "sources",
    "stages",
    "sweep",
    "theories",
    "trajectories",
]
