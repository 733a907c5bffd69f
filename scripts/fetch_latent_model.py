"""Copy a text-to-image model from the repository, the Hub or a folder into the study, in the layout of diffusers."""

from pathlib import Path
from typing import Any

from underpainting import denoisers
from underpainting.denoisers import latent_files
from underpainting_workflow.runner import run


def main(outputs: dict[str, str], config: dict[str, Any], place: str) -> None:
    """Find the model, and write its components in one layout, whatever the layout of the source."""
    variant, folder = config.get("variant", ""), Path(place)
    if config["source"] == "hub":
        folder = denoisers.fetch(config["repository"], config["revision"], latent_files.patterns(variant))
    latent_files.copy(folder, Path(outputs["index"]).parent, variant)


if __name__ == "__main__":
    run(main)
