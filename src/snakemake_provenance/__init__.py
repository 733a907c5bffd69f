"""What makes a result of a Snakemake workflow fresh or stale, and how results travel.

The only package that knows Snakemake's and DVC's insides; it knows nothing of what is computed. A result is fresh if its bytes
are those that a job made, from the bytes that its inputs hold now. Every job records both (`job_records`); what it says, with
Snakemake's own record, is a fact (`facts`), kept here in a ledger and, for all who share the project, in a manifest per
study in git. Before a run, what is on disk is checked against the facts (`freshness`) and Snakemake's records are set right
(`restoring`), so that Snakemake decides as if every result had been made here.
"""
