"""A figure of a study, by the module of `underpainting_workflow.drawing` that its row names."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from underpainting.plotting import style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(draw: str, files: dict[str, list[str]], outputs: list[str], config: dict[str, Any]) -> None:
    """Draw it, and save it in every format."""
    figure = import_module(f"underpainting_workflow.drawing.{draw}").draw(files, config)
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        named = {name: [value] if isinstance(value, str) else list(value) for name, value in snakemake.input.items()}
        draw = snakemake.rule.removeprefix("figure_")
        main(draw, named, list(snakemake.output), snakemake.params.config)
