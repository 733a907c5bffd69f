# Sampler trajectories, shard by shard: every state and endpoint estimate.
rule sample_trajectories:
    input:
        **NETWORK,
        eigenbasis=files_of(files.trajectories.basis),
    output:
        "results/{study}/trajectories/{sampler}/seeds_{first}-{stop}.zarr.zip",
    log:
        "logs/{study}/trajectories/{sampler}/seeds_{first}-{stop}.log",
    resources:
        **needs("sample_trajectories"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("sample_trajectories"),
        packages=packages_of("sample_trajectories"),
        config=lambda wildcards: {
            "sampler": sampler(wildcards, "trajectories"),
            "batch_size": study(wildcards).trajectories.batch_size,
            "compute": study(wildcards).compute(),
        },
    script:
        "../scripts/sample_trajectories.py"
