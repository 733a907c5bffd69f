# The report of all chosen studies: Snakemake's own, written by a second Snakemake that only reads.
rule render_report:
    input:
        of_all(files.tables),
        of_all(files.figures),
        files.ACROSS_STUDIES,
    output:
        "results/report.html",
    log:
        "logs/report.log",
    benchmark:
        "logs/benchmarks/report.tsv"
    params:
        code=code_of("render_report"),
        config={"studies": list(STUDIES)},
    script:
        "../scripts/render_report.py"
