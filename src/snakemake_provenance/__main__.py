"""`python -m snakemake_provenance`: the command `snakemake-provenance`."""

import sys

from snakemake_provenance.cli import main

sys.exit(main())
