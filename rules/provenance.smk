# Before a run, Snakemake's records are set right; after it, what was made is written into the manifests. Included last: it needs
# to know the code of every rule.
if workflow.is_main_process:
    locks.hold(Path(".snakemake"), lambda: session.begin(LAYOUT, CODE))
    code.remember(PARSED)
    records.rerun_incomplete(workflow)
    records.tell_plan(workflow)


onsuccess:
    session.export(LAYOUT)


onerror:
    session.export(LAYOUT)
