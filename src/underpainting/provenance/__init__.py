"""What makes a result fresh or stale. The only room that knows Snakemake's and DVC's insides; it knows no diffusion."""
