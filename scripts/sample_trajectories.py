"""Sample one shard of trajectories and keep every state and endpoint estimate."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from underpainting import denoisers, meter
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.samplers import trajectories
from underpainting.samplers.randomness import seed_batches
from underpainting_workflow.jobs import job
from underpainting_workflow.origins import origin, use_threads

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(
    network: dict[str, str], output: str, study: str, seeds: range, config: dict[str, Any], compute: Compute
) -> None:
    """Walk the sampler batch by batch; one batch is one chunk of the artifact."""
    denoiser, schedule = denoisers.load_denoiser(Path(network["index"]).parent, compute)
    sampler = trajectories.make_sampler(config["sampler"], schedule)
    shape = denoiser.image_shape
    meter.plan(nfe=len(seeds) * sampler.calls())
    batches = seed_batches(seeds, config["batch_size"])
    with torch.inference_mode():
        parts = (trajectories.record(sampler, denoiser, batch, shape) for batch in batches)
        provenance = origin(
            study,
            seeds=[seeds.start, seeds.stop],
            model={name: artifacts.digest(network[name]) for name in ("weights", "scheduler")},
            sampler=config["sampler"],
        )
        artifacts.save_stream(parts, output, "sample", provenance)


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        names = snakemake.wildcards
        main(
            dict(snakemake.input.items()),
            snakemake.output[0],
            names.study,
            range(int(names.first), int(names.stop)),
            snakemake.params.config,
            Compute.of_job(snakemake),
        )
