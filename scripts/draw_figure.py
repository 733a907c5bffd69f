"""Draw a figure of a study, with the module of `underpainting_workflow.drawing` that its row names."""

from importlib import import_module
from typing import Any

from underpainting.plotting import style
from underpainting_workflow.runner import run


def main(draw: str, inputs: dict[str, list[str]], outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the figure and save it in every format."""
    figure = import_module(f"underpainting_workflow.drawing.{draw}").draw(inputs, config)
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    run(main)
