"""Copy a denoiser from the repository, the Hub or a folder into the study, as a diffusers pipeline folder.

Safetensors only, except a published EDM network that the study trusts: its pickle is opened here, once, and converted.
"""

from pathlib import Path
from typing import Any

from underpainting import denoisers
from underpainting.denoisers import pickles
from underpainting.samplers import trajectories
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def find(config: dict[str, Any], place: str, code: str) -> tuple[Any, Any]:
    """Return network and noise schedule from their source."""
    if config["source"] == "edm":
        return pickles.convert(place, config["sha256"], config["trust_pickle"], code)
    hub = config["source"] == "hub"
    return denoisers.load_network(denoisers.fetch(config["repository"], config["revision"]) if hub else Path(place))


def main(outputs: dict[str, str], study: str, config: dict[str, Any], place: str, third_party_code: str) -> None:
    """Find the network, check that it fits the study's images, write it as a pipeline folder with the scheduler in use."""
    network, schedule = find(config, place, third_party_code)
    denoisers.require_images(network, channels=config["channels"], size=config["size"])
    as_run = trajectories.as_run(schedule, config.get("sampler", {}))
    denoisers.save_pipeline(network, as_run, Path(outputs["index"]).parent)
    denoisers.save_schedule(schedule, outputs["schedule"], origin(study, config=config))


if __name__ == "__main__":
    run(main)
