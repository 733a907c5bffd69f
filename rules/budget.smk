# Few network calls: every sampler at every budget, from noise or from where a jump has landed.
rule jump_ahead:
    input:
        unpack(files_of(files.budget.jump_inputs)),
        scheduler="results/{study}/denoiser/scheduler/scheduler_config.json",
    output:
        "results/{study}/jumps/{jump}/seeds_{first}-{stop}.zarr.zip",
    log:
        "logs/{study}/jumps/{jump}_{first}-{stop}.log",
    benchmark:
        "logs/{study}/benchmarks/jumps/{jump}_{first}-{stop}.tsv"
    resources:
        **needs("jump_ahead"),
    params:
        code=code_of("jump_ahead"),
        packages=packages_of("jump_ahead"),
        config=lambda wildcards: {
            **study(wildcards).budget.jump(wildcards.jump).model_dump(),
            "batch_size": study(wildcards).budget.batch_size,
        },
    script:
        "../scripts/jump_ahead.py"


rule sample_budget:
    input:
        **NETWORK,
        landed=files_of(files.budget.landed),
        extractor=files_of(files.sources.of_extractor),
    output:
        "results/{study}/budget/{solver}-{steps}/{jump}/seeds_{first}-{stop}.zarr.zip",
    log:
        "logs/{study}/budget/{solver}-{steps}/{jump}_{first}-{stop}.log",
    benchmark:
        "logs/{study}/benchmarks/budget/{solver}-{steps}/{jump}_{first}-{stop}.tsv"
    resources:
        **needs("sample_budget"),
    params:
        code=code_of("sample_budget"),
        packages=packages_of("sample_budget"),
        config=lambda wildcards: {
            "sampler": wildcards.solver,
            "steps": int(wildcards.steps),
            "skips": list(study(wildcards).budget.skips(wildcards.jump)),
            "batch_size": study(wildcards).budget.batch_size,
            "extractor": study(wildcards).teleport.extractor.name,
            "compute": study(wildcards).compute(),
        },
    script:
        "../scripts/sample_budget.py"


rule measure_budget:
    input:
        generated=files_of(files.budget.features),
        real="results/{study}/reference_features.zarr.zip",
    output:
        "results/{study}/budget/{solver}.json",
    log:
        "logs/{study}/budget/{solver}.log",
    benchmark:
        "logs/{study}/benchmarks/budget/{solver}.tsv"
    resources:
        **needs("measure_budget"),
    params:
        code=code_of("measure_budget"),
        packages=packages_of("measure_budget"),
        config=files_of(files.budget.settings),
    script:
        "../scripts/measure_budget.py"
