"""What the Snakemake workflow needs around the science of `underpainting`, which never imports it.

- `studies`: study files as typed models; names and sizes of the files that a study makes
- `preflight`: what is checked before any job starts; `suitability`: whether the images suffice
- `jobs`: what every job does: log, record of its use, record of what it read and wrote
- `figures`: the figures of a study, a row each; `drawing`: how each is drawn from its files
- `claims`: the paper's claims as rows of a table, each beside a null model
- `findings`: the findings of a report's front page, from tables and datasets; `front`: that page
- `tables`: a table as CSV and HTML; `plan_table`, `equal_budgets`: two of them
- `usage`: the resources that jobs use, and how far a run is; `forecast`: what a plan of jobs would take
- `origins`: what a result depends on beside its inputs: threads, package versions
- `cli`: the command `underpainting`
"""
