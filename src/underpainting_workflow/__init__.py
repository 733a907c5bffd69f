"""Parts of the Snakemake workflow besides the science, which is in `underpainting` and never imports this package.

- `studies`: typed models of study files; names and sizes of the files that a study makes
- `preflight`: checks before any job starts; `suitability`: whether a study has enough images
- `runner`: runs a script's `main` as a job, with typed arguments, log and records; `fork_server`: starts jobs quickly
- `jobs`: digests of a job's code and versions of its packages
- `figures`: the table of figures, with captions; `drawing`: a module per figure, which draws it from its files
- `claims`: the paper's claims, each judged against a null model
- `findings`: the main findings of a study; `page`: its page; `front`: the front page of Snakemake's report
- `tables`: tables as CSV and HTML; `plan_table`, `equal_training_steps`: contents of two tables
- `usage`: resources that jobs use, and progress of a run; `forecast`: estimated cost of a study
- `origins`: number of threads and package versions that results depend on
- `cli`: the command `underpainting`
"""
