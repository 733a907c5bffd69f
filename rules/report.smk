# The report of all chosen studies: Snakemake's own, written by a second Snakemake that only reads.
rule render_report:
    input:
        of_all(table_files),
        of_all(figure_files),
    output:
        "results/report.html",
    log:
        "logs/report.log",
    benchmark:
        "logs/benchmarks/report.tsv"
    params:
        config={"studies": list(STUDIES)},
    script:
        "../scripts/render_report.py"
