# A study's report: Snakemake's own, written by a second Snakemake that only reads.


localrules:
    render_report,


rule render_report:
    input:
        files_of(files.products.tables),
        files_of(files.products.figures),
    output:
        "results/{study}/report.html",
    log:
        "logs/{study}/report.log",
    benchmark:
        "logs/{study}/benchmarks/report.tsv"
    params:
        code=code_of("render_report"),
        packages=packages_of("render_report"),
        config={"captions": code.of_files(ROOT / "workflow" / "report")},
    script:
        "../scripts/render_report.py"
