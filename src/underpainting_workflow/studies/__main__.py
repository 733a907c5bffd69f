"""Write the JSON schema and the reference of every key from the models: `python -m underpainting_workflow.studies`."""

from pathlib import Path

from underpainting.io.writing import write_text
from underpainting_workflow.studies.reference import json_schema, markdown

GENERATED = {"workflow/schemas/study.schema.json": json_schema, "config/README.md": markdown}


def main(root: Path = Path()) -> None:
    """Write every generated file below the repository's root."""
    for path, make in GENERATED.items():
        write_text(make(), root / path)
        print(path)


if __name__ == "__main__":
    main()
