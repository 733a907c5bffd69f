"""Record the resources that each job uses, and summarise the records of a run.

Each job writes a record (`recorder`, called by `runner.run`), on a laptop as on a cluster without accounting.
The commands that print summaries are in `cli.usage`. Every job imports `recorder` and `record`, so they must import
little.
"""
