"""The words of a text, one a line."""

from pathlib import Path

from normal import normal

words = normal(Path(snakemake.input[0]).read_text())
kept = [word for word in words if snakemake.params.shortest <= len(word) <= snakemake.params.longest]
Path(snakemake.output[0]).write_text("".join(f"{word}\n" for word in kept))
