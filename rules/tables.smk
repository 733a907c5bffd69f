# Tables and metrics gathered from all stages.


# seconds each: not worth a cluster's queue
localrules:
    tabulate_teleport,
    tabulate_low_nfe,
    tabulate_geometry,
    collect_metrics,
    tabulate_models,
    tabulate_claims,
    tabulate_findings,
    tabulate_studies,


rule tabulate_teleport:
    input:
        truncated=files_of(files.sweep.rows),
        low_nfe=files_of(files.low_nfe.rows),
        jumps="results/{study}/jump_solutions.zarr.zip",
    output:
        csv="results/{study}/teleport.csv",
        html=report(
            "results/{study}/tables/teleport.html",
            caption="../workflow/report/teleport_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Teleportation sweep"},
        ),
    log:
        "logs/{study}/teleport_table.log",
    params:
        code=code_of("tabulate_teleport"),
        packages=packages_of("tabulate_teleport"),
        config=of_study(
            lambda study: {
                "labels": {
                    choice.id: choice.label
                    for choice in files.stages.main_first(study.teleport)
                },
                "extractor": study.teleport.extractor.name,
            }
        ),
    script:
        "../scripts/tabulate_teleport.py"


rule tabulate_low_nfe:
    input:
        table="results/{study}/teleport.csv",
    output:
        report(
            "results/{study}/tables/low_nfe.html",
            caption="../workflow/report/low_nfe_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Image quality at low NFE"},
        ),
    log:
        "logs/{study}/low_nfe_table.log",
    wildcard_constraints:
        study=studies_with(files.low_nfe.swept),
    params:
        code=code_of("tabulate_low_nfe"),
        packages=packages_of("tabulate_low_nfe"),
        config=of_study(
            lambda study: {
                "nfe": list(files.low_nfe.section(study).nfe),
                **files.low_nfe.names(study),
            }
        ),
    script:
        "../scripts/tabulate_low_nfe.py"


rule tabulate_geometry:
    input:
        geometry=files_of(partial(files.trajectories.of_samplers, "geometry")),
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
    params:
        code=code_of("tabulate_geometry"),
        packages=packages_of("tabulate_geometry"),
    script:
        "../scripts/tabulate_geometry.py"


rule collect_metrics:
    input:
        comparison=files_of(files.theories.comparisons),
        geometry="results/{study}/geometry.csv",
        teleport="results/{study}/teleport.csv",
    output:
        "results/{study}/metrics.json",
    log:
        "logs/{study}/metrics.log",
    params:
        code=code_of("collect_metrics"),
        packages=packages_of("collect_metrics"),
    script:
        "../scripts/collect_metrics.py"


rule tabulate_models:
    input:
        files_of(files.theories.models_compared),
    output:
        csv="results/{study}/models.csv",
        html=report(
            "results/{study}/tables/models.html",
            caption="../workflow/report/models_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Theories compared with the sampler"},
        ),
    log:
        "logs/{study}/models_table.log",
    params:
        code=code_of("tabulate_models"),
        packages=packages_of("tabulate_models"),
    script:
        "../scripts/tabulate_models.py"


rule tabulate_claims:
    input:
        unpack(files_of(files.theories.claims_inputs)),
    output:
        csv="results/{study}/claims.csv",
        html=report(
            "results/{study}/tables/claims.html",
            caption="../workflow/report/claims_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Claims of the paper"},
        ),
    log:
        "logs/{study}/claims_table.log",
    params:
        code=code_of("tabulate_claims"),
        packages=packages_of("tabulate_claims"),
        config=of_study(
            lambda study: {
                "paper": study.paper,
                "sampler": files.stages.main_first(study.teleport)[0].id,
                "steps": files.stages.main_first(study.teleport)[0].steps,
            }
        ),
    script:
        "../scripts/tabulate_claims.py"


rule tabulate_findings:
    input:
        unpack(files_of(files.theories.findings_inputs)),
    output:
        "results/{study}/findings.json",
    log:
        "logs/{study}/findings.log",
    params:
        code=code_of("tabulate_findings"),
        packages=packages_of("tabulate_findings"),
        config=of_study(
            lambda study: {
                "swept": {
                    "sampler": files.stages.main_first(study.teleport)[0].id,
                    "label": files.stages.main_first(study.teleport)[0].label,
                    "steps": files.stages.main_first(study.teleport)[0].steps,
                },
                "followed": files.stages.main_first(study.trajectories)[0].label,
                "jumps": (
                    files.low_nfe.names(study)["jumps"]
                    if files.low_nfe.swept(study)
                    else {}
                ),
            }
        ),
    script:
        "../scripts/tabulate_findings.py"


rule tabulate_studies:
    input:
        of_all(lambda name, entry: [f"results/{name}/geometry.csv"]),
        of_text(lambda name, entry: [f"results/{name}/geometry.csv"]),
    output:
        csv="results/table2.csv",
        html=report(
            "results/table2.html",
            caption="../workflow/report/studies_table.rst",
            category="all studies",
            labels={"table": "Trajectory geometry (Table 2)"},
        ),
    log:
        "logs/studies_table.log",
    params:
        code=code_of("tabulate_studies"),
        packages=packages_of("tabulate_studies"),
        config={"models": {name: entry.paper for name, entry in ALL_STUDIES.items()}},
    script:
        "../scripts/tabulate_studies.py"
