"""What jobs use, and how far they are: a small record of each job beside its log, and what can be told from records.

Every job writes its own (`recorder`, called by `runner.run`), so the same is known on a laptop and on a cluster without
accounting. Nothing here prints: the command is `cli.watching`. Light: every job and the Snakefile import it.
"""
