# Tables and metrics gathered from all stages.
rule tabulate_teleport:
    input:
        rows=files_of(files.sweep_rows),
    output:
        csv="results/{study}/teleport.csv",
        html=report(
            "results/{study}/tables/teleport.html",
            caption="../workflow/report/teleport_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Teleport sweep"},
        ),
    log:
        "logs/{study}/teleport_table.log",
    benchmark:
        "logs/{study}/benchmarks/teleport_table.tsv"
    params:
        code=code_of("tabulate_teleport"),
        config=of_study(lambda study: {"extractor": study.teleport.extractor.name}),
    script:
        "../scripts/tabulate_teleport.py"


rule tabulate_geometry:
    input:
        geometry=files_of(partial(files.of_samplers, "geometry")),
    output:
        csv="results/{study}/geometry.csv",
        html=report(
            "results/{study}/tables/geometry.html",
            caption="../workflow/report/geometry_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Trajectory geometry (Table 2)"},
        ),
    log:
        "logs/{study}/geometry_table.log",
    benchmark:
        "logs/{study}/benchmarks/geometry_table.tsv"
    params:
        code=code_of("tabulate_geometry"),
    script:
        "../scripts/tabulate_geometry.py"


rule collect_metrics:
    input:
        comparison=files_of(files.comparisons),
        geometry="results/{study}/geometry.csv",
        teleport="results/{study}/teleport.csv",
    output:
        "results/{study}/metrics.json",
    log:
        "logs/{study}/metrics.log",
    benchmark:
        "logs/{study}/benchmarks/metrics.tsv"
    params:
        code=code_of("collect_metrics"),
    script:
        "../scripts/collect_metrics.py"
