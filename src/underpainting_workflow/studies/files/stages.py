"""What all stages that sample have: shards of seeds, and a sampler that stands first."""

from __future__ import annotations

from underpainting_workflow.studies.sampling import SamplerChoice, Seeded, TeleportConfig, TrajectoriesConfig


def headline_first(stage: TrajectoriesConfig | TeleportConfig) -> list[SamplerChoice]:
    """The samplers of a stage, the headline sampler first: DDIM where it is there."""
    return sorted(stage.samplers, key=lambda choice: choice.name != "ddim")


def shards(pattern: str, stage: Seeded, seeds: range | None = None) -> list[str]:
    """The shards of a stage, with `{first}` and `{stop}` filled in; only those with any of `seeds`, if given."""
    return [
        pattern.format(first=first, stop=stop)
        for first, stop in stage.shards
        if seeds is None or (first < seeds.stop and stop > seeds.start)
    ]


def main_sampler(stage: TrajectoriesConfig | TeleportConfig) -> str:
    """Id of the sampler whose numbers stand first."""
    return headline_first(stage)[0].id
