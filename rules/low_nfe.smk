# Few network calls: every sampler at every number of calls on every grid, from noise or from where a jump has landed.
rule jump_ahead:
    input:
        unpack(files_of(files.low_nfe.jump_inputs)),
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
            **study(wildcards).low_nfe.jump(wildcards.jump).model_dump(),
            "batch_size": study(wildcards).low_nfe.batch_size,
        },
    script:
        "../scripts/jump_ahead.py"


rule sample_low_nfe:
    input:
        **NETWORK,
        landed=files_of(files.low_nfe.landed),
        eigenbasis=files_of(files.low_nfe.basis),
        extractor=files_of(files.sources.of_extractor),
        autoencoder="results/{study}/autoencoder.safetensors",
        solution="results/{study}/solution.zarr.zip",
    output:
        files.low_nfe.features_of("{steps}"),
    log:
        "logs/{study}/low_nfe/{sampler_name}-{steps}{mark}/{jump}_{first}-{stop}.log",
    resources:
        **needs("sample_low_nfe"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("sample_low_nfe"),
        packages=packages_of("sample_low_nfe"),
        config=files_of(files.low_nfe.run_settings),
    script:
        "../scripts/sample_low_nfe.py"


rule measure_low_nfe:
    input:
        generated=files_of(files.low_nfe.features),
        real="results/{study}/reference_features.zarr.zip",
    output:
        "results/{study}/low_nfe/{sampler_name}.json",
    log:
        "logs/{study}/low_nfe/{sampler_name}.log",
    resources:
        **needs("measure_low_nfe"),
    params:
        code=code_of("measure_low_nfe"),
        packages=packages_of("measure_low_nfe"),
        config=files_of(files.low_nfe.settings),
    script:
        "../scripts/measure_low_nfe.py"
