"""Run the command `snakemake-provenance`, as `python -m snakemake_provenance`."""

import sys

from snakemake_provenance.cli import main

sys.exit(main())
