"""`python -m underpainting`: see `cli`."""

import sys

from underpainting.cli import main

if __name__ == "__main__":
    sys.exit(main())
