# seconds: not worth a cluster's queue
localrules:
    plan_teleport,


# How far one can jump, from a few dozen network calls; and what the sweeps say of it.
rule measure_shortfall:
    input:
        unpack(files_of(files.planner.inputs)),
        **NETWORK,
        dataset="results/{study}/dataset.zarr.zip",
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
    output:
        "results/{study}/shortfall.zarr.zip",
    log:
        "logs/{study}/shortfall.log",
    resources:
        **needs("measure_shortfall"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("measure_shortfall"),
        packages=packages_of("measure_shortfall"),
        config=of_study(
            lambda study: {
                **study.planner.model_dump(exclude={"max_loss", "seen"}),
                "jumps": files.planner.jumps(study),
                "compute": study.compute(),
            }
        ),
    script:
        "../scripts/measure_shortfall.py"


rule plan_teleport:
    input:
        shortfall="results/{study}/shortfall.zarr.zip",
        sweep="results/{study}/teleport.csv",
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        scheduler="results/{study}/denoiser/scheduler/scheduler_config.json",
    output:
        csv="results/{study}/plan.csv",
        html=report(
            "results/{study}/tables/plan.html",
            caption="../workflow/report/plan_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Planned jumps against the sweep's best"},
        ),
    log:
        "logs/{study}/plan.log",
    params:
        code=code_of("plan_teleport"),
        packages=packages_of("plan_teleport"),
        config=of_study(files.planner.settings),
    script:
        "../scripts/plan_teleport.py"
