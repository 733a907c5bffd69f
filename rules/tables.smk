# Tables and metrics gathered from all stages.
def sweep_rows(wildcards):
    """The fidelity of every sampler and skip of a study."""
    sweep = study(wildcards).teleport
    return [
        f"results/{wildcards.study}/teleport/{choice.id}/skip_{skip}/fidelity.json"
        for choice in sweep.samplers
        for skip in sweep.skips
    ]


def per_sampler(kind):
    """An input function: one artifact of a kind for every sampler of the trajectories."""
    return lambda wildcards: [
        f"results/{wildcards.study}/{kind}/{choice.id}.zarr.zip"
        for choice in study(wildcards).trajectories.samplers
    ]


rule tabulate_teleport:
    input:
        rows=sweep_rows,
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
        config=of_study(lambda study: {"extractor": study.teleport.extractor.name}),
    script:
        "../scripts/tabulate_teleport.py"


rule tabulate_geometry:
    input:
        geometry=per_sampler("geometry"),
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
    script:
        "../scripts/tabulate_geometry.py"


rule collect_metrics:
    input:
        comparison=per_sampler("comparison"),
        geometry="results/{study}/geometry.csv",
        teleport="results/{study}/teleport.csv",
    output:
        "results/{study}/metrics.json",
    log:
        "logs/{study}/metrics.log",
    benchmark:
        "logs/{study}/benchmarks/metrics.tsv"
    script:
        "../scripts/collect_metrics.py"


def table_files(name, entry):
    """Tables and metrics of a study."""
    return [
        f"results/{name}/{file}"
        for file in (
            "metrics.json",
            "teleport.csv",
            "tables/teleport.html",
            "geometry.csv",
            "tables/geometry.html",
        )
    ]
