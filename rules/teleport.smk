# The teleport sweep: samples and features per shard and number of skipped steps, distances, one tidy table.
# The null model's sweep is the same with the jump of an isotropic Gaussian, over fewer seeds.


wildcard_constraints:
    sweep="|".join(files.sweep.JUMPS),


rule sample_teleport:
    input:
        **NETWORK,
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
    output:
        files.sweep.samples("{skipped_steps}", sweep="{sweep}"),
    log:
        "logs/{study}/{sweep}/{sampler}/skipped_{skipped_steps}/samples_{first}-{stop}.log",
    resources:
        **needs("sample_teleport"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("sample_teleport"),
        packages=packages_of("sample_teleport"),
        config=lambda wildcards: {
            "sampler": sampler(wildcards, "teleport"),
            "jump": files.sweep.JUMPS[wildcards.sweep],
            "batch_size": study(wildcards).teleport.batch_size,
            "compute": study(wildcards).compute(),
        },
    script:
        "../scripts/sample_teleport.py"


# The network's own images, from the noise of the sweep's first seeds; and where the flow ends after each jump.
rule solve_flow:
    input:
        **NETWORK,
    output:
        "results/{study}/solution.zarr.zip",
    log:
        "logs/{study}/solution.log",
    resources:
        **needs("solve_flow"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("solve_flow"),
        packages=packages_of("solve_flow"),
        config=of_study(files.solution.settings),
    script:
        "../scripts/solve_flow.py"


rule solve_jumps:
    input:
        **NETWORK,
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        solution="results/{study}/solution.zarr.zip",
        landed=files_of(files.solution.landed_files),
    output:
        "results/{study}/jump_solutions.zarr.zip",
    log:
        "logs/{study}/jump_solutions.log",
    resources:
        **needs("solve_jumps"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("solve_jumps"),
        packages=packages_of("solve_jumps"),
        config=of_study(files.solution.jump_settings),
    script:
        "../scripts/solve_jumps.py"


rule train_autoencoder:
    input:
        dataset="results/{study}/dataset.zarr.zip",
    output:
        "results/{study}/autoencoder.safetensors",
    log:
        "logs/{study}/autoencoder.log",
    resources:
        **needs("train_autoencoder"),
    params:
        code=code_of("train_autoencoder"),
        packages=packages_of("train_autoencoder"),
        config=of_study(lambda study: study.teleport.autoencoder.model_dump()),
    script:
        "../scripts/train_autoencoder.py"


rule train_classifier:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        clusters=files_of(files.theories.cluster_labels),
    output:
        "results/{study}/classifier.safetensors",
    log:
        "logs/{study}/classifier.log",
    resources:
        **needs("train_classifier"),
    params:
        code=code_of("train_classifier"),
        packages=packages_of("train_classifier"),
        config=of_study(
            lambda study: study.teleport.extractor.model_dump(exclude={"name"})
        ),
    script:
        "../scripts/train_classifier.py"


rule extract_features:
    input:
        images="results/{study}/{sweep}/{sampler}/skipped_{skipped_steps}/samples/seeds_{first}-{stop}.zarr.zip",
        extractor=files_of(files.sources.of_extractor),
        autoencoder="results/{study}/autoencoder.safetensors",
    output:
        "results/{study}/{sweep}/{sampler}/skipped_{skipped_steps}/features/seeds_{first}-{stop}.zarr.zip",
    log:
        "logs/{study}/{sweep}/{sampler}/skipped_{skipped_steps}/features_{first}-{stop}.log",
    resources:
        **needs("extract_features"),
    params:
        code=code_of("extract_features"),
        packages=packages_of("extract_features"),
        config=of_study(
            lambda study: {
                "extractor": study.teleport.extractor.name,
                "reference": False,
            }
        ),
    script:
        "../scripts/extract_features.py"


use rule extract_features as extract_reference_features with:
    input:
        images="results/{study}/dataset.zarr.zip",
        extractor=files_of(files.sources.of_extractor),
        autoencoder="results/{study}/autoencoder.safetensors",
    output:
        "results/{study}/reference_features.zarr.zip",
    log:
        "logs/{study}/reference_features.log",
    resources:
        **needs("extract_reference_features"),
    params:
        code=code_of("extract_features"),
        packages=packages_of("extract_features"),
        config=of_study(
            lambda study: {
                "extractor": study.teleport.extractor.name,
                "reference": True,
            }
        ),


rule measure_fidelity:
    input:
        generated=files_of(files.sweep.features),
        plain=files_of(files.sweep.plain_features),
        samples=files_of(files.sweep.solved_samples),
        plain_samples=files_of(files.sweep.plain_samples),
        solution="results/{study}/solution.zarr.zip",
        real="results/{study}/reference_features.zarr.zip",
    output:
        "results/{study}/{sweep}/{sampler}/skipped_{skipped_steps}/fidelity.json",
    log:
        "logs/{study}/{sweep}/{sampler}/skipped_{skipped_steps}/fidelity.log",
    resources:
        **needs("measure_fidelity"),
    params:
        code=code_of("measure_fidelity"),
        packages=packages_of("measure_fidelity"),
        config=lambda wildcards: {
            "jump": files.sweep.JUMPS[wildcards.sweep],
            **files.sweep.fidelity_settings(study(wildcards)),
        },
    script:
        "../scripts/measure_fidelity.py"
