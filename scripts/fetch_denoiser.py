"""Copy a denoiser from the repository, the Hub or a folder into the study, as a diffusers pipeline folder; safetensors only."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from underpainting import denoisers
from underpainting.jobs import job
from underpainting.origins import origin

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(output: dict[str, str], study: str, config: dict[str, Any], place: str) -> None:
    """Find the folder, check that the network takes the study's images, write it in one layout."""
    hub = config["source"] == "hub"
    folder = denoisers.fetch(config["repository"], config["revision"]) if hub else Path(place)
    network, schedule = denoisers.load_network(folder)
    denoisers.require_images(network, channels=config["channels"], size=config["size"])
    denoisers.save_pipeline(network, schedule, Path(output["index"]).parent)
    denoisers.save_schedule(schedule, output["schedule"], origin(study, config=config))


if __name__ == "__main__":
    with job(snakemake):
        main(
            dict(snakemake.output.items()),
            snakemake.wildcards.study,
            snakemake.params.config,
            snakemake.resources.place,
        )
