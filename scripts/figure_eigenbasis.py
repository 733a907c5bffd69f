"""The variance spectrum of a data set, its mean image and leading eigenvectors."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.plotting import spectrum, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(eigenbasis: str, emergence: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Bring mean and leading vectors into image shape and draw them; `emergence` has the frequencies of all components."""
    data = artifacts.load(eigenbasis)
    shape = tuple(int(size) for size in data.attrs["image_shape"])
    vectors = data["vectors"][:, : spectrum.VECTORS].values.T.reshape(-1, *shape)
    mean, variances = data["mean"].values.reshape(shape), data["variances"].values
    frequency = artifacts.load(emergence)["basis_frequency"].values
    figure = spectrum.eigenbasis(mean, vectors, variances, float(data["total_variance"]), frequency)
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.eigenbasis, snakemake.input.emergence, list(snakemake.output), snakemake.params.config)
