"""Run the command `underpainting`, as `python -m underpainting_workflow`; see `cli`."""

import sys

from underpainting_workflow.cli import main

if __name__ == "__main__":
    sys.exit(main())
