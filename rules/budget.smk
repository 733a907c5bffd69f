# Few network calls: every sampler at every budget, from noise or from where a jump has landed.
rule jump_ahead:
    input:
        unpack(files_of(files.budget.jump_inputs)),
        scheduler="results/{study}/denoiser/scheduler/scheduler_config.json",
    output:
        "results/{study}/jumps/{jump}/seeds_{first}-{stop}.zarr.zip",
    log:
        "logs/{study}/jumps/{jump}_{first}-{stop}.log",
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
        autoencoder="results/{study}/autoencoder.safetensors",
        solution="results/{study}/solution.zarr.zip",
    output:
        files.budget.features_of("{steps}"),
    log:
        "logs/{study}/budget/{solver}-{steps}/{jump}_{first}-{stop}.log",
    resources:
        **needs("sample_budget"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("sample_budget"),
        packages=packages_of("sample_budget"),
        config=lambda wildcards: {
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
    resources:
        **needs("measure_budget"),
    params:
        code=code_of("measure_budget"),
        packages=packages_of("measure_budget"),
        config=files_of(files.budget.settings),
    script:
        "../scripts/measure_budget.py"
