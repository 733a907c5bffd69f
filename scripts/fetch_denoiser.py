"""Copy a denoiser from the repository, the Hub or a folder into the study, as a diffusers pipeline folder.

Safetensors only, but for a published EDM network that the study trusts: its pickle is opened here, once, and converted.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from underpainting import denoisers
from underpainting.denoisers import pickles
from underpainting.samplers import trajectories
from underpainting_workflow.jobs import job
from underpainting_workflow.origins import origin

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def find(config: dict[str, Any], place: str, code: str) -> tuple[Any, Any]:
    """Network and noise schedule, wherever they are."""
    if config["source"] == "edm":
        return pickles.convert(place, config["sha256"], config["trust_pickle"], code)
    hub = config["source"] == "hub"
    return denoisers.load_network(denoisers.fetch(config["repository"], config["revision"]) if hub else Path(place))


def main(output: dict[str, str], study: str, config: dict[str, Any], place: str, code: str = "") -> None:
    """Find the network, check that it takes the study's images, write it in one layout, the scheduler as it is run."""
    network, schedule = find(config, place, code)
    denoisers.require_images(network, channels=config["channels"], size=config["size"])
    as_run = trajectories.as_run(schedule, config.get("sampler", {}))
    denoisers.save_pipeline(network, as_run, Path(output["index"]).parent)
    denoisers.save_schedule(schedule, output["schedule"], origin(study, config=config))


if __name__ == "__main__":
    with job(snakemake):
        main(
            dict(snakemake.output.items()),
            snakemake.wildcards.study,
            snakemake.params.config,
            snakemake.resources.place,
            snakemake.resources.third_party_code,
        )
