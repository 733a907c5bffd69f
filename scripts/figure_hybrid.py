"""Fig. 4 E: images of the hybrid method by number of skipped steps."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts, shards
from underpainting.plotting import hybrid, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the images of the first seeds, a row per skip; `files` holds the leading shards of each skip in turn."""
    each = len(files) // len(config["skips"])
    rows = [shards.first(files[start : start + each], config["gallery"]) for start in range(0, len(files), each)]
    images = [artifacts.require_range(row["images"], files[0]).values for row in rows]
    skips = [(skip, int(row["nfe"])) for skip, row in zip(config["skips"], rows, strict=True)]
    seeds = rows[0]["seed"].values.tolist()
    style.save(hybrid.hybrid(images, skips, seeds, config["label"], config["steps"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(list(snakemake.input.samples), list(snakemake.output), snakemake.params.config)
