"""Shards of seeds, and the main sampler, of any sampling stage."""

from __future__ import annotations

from underpainting_workflow.studies.sampling import SamplerChoice, Seeded, TeleportConfig, TrajectoriesConfig


def main_first(stage: TrajectoriesConfig | TeleportConfig) -> list[SamplerChoice]:
    """Return the samplers of a stage, the main sampler first: DDIM if the stage has it."""
    return sorted(stage.samplers, key=lambda choice: choice.name != "ddim")


def shards(pattern: str, stage: Seeded, seeds: range | None = None) -> list[str]:
    """Expand `{first}` and `{stop}` to the shards of a stage, only those with any of `seeds` if given."""
    return [
        pattern.format(first=first, stop=stop)
        for first, stop in stage.shards
        if seeds is None or (first < seeds.stop and stop > seeds.start)
    ]


def main_sampler(stage: TrajectoriesConfig | TeleportConfig) -> str:
    """Return the id of the main sampler."""
    return main_first(stage)[0].id
