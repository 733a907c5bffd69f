"""Write the JSON schema and the reference of every key from the models: `python -m underpainting_workflow.studies`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from underpainting.io.writing import write_text
from underpainting_workflow.studies.reference import json_schema, markdown
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

GENERATED: dict[str, Callable[[], str]] = {
    "workflow/schemas/study.schema.json": json_schema,
    "workflow/schemas/text_to_image.schema.json": partial(json_schema, TextToImageStudy),
    "config/README.md": markdown,
}


def main(root: Path = Path()) -> None:
    """Write every generated file below the repository's root."""
    for path, make in GENERATED.items():
        write_text(make(), root / path)
        print(path)


if __name__ == "__main__":
    main()
