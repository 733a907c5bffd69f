# Before a run, Snakemake's records are set right; after it, what was made is written into the manifests. Included last: it needs
# to know the code of every rule.
# A job on a cluster keeps its own record, in case that its submitter is killed.
if workflow.is_main_process:
    with refusing(locks.NoLocksError, OSError):
        locks.hold(SNAKEMAKE, begin)
        code.remember(PARSED)
    records.before_running(workflow, before_run)
    records.tell_plan(workflow)
else:
    records.write_where_jobs_run(workflow)


onsuccess:
    session.export(LAYOUT)


onerror:
    session.export(LAYOUT)
