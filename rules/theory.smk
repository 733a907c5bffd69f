# Theory against samplers, and the geometry of trajectories.
TRAJECTORIES = "results/{study}/trajectories/{sampler}/" + SEEDS


rule compare_with_theory:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=shards(TRAJECTORIES, "trajectories"),
    output:
        "results/{study}/comparison/{sampler}.zarr.zip",
    log:
        "logs/{study}/comparison/{sampler}.log",
    benchmark:
        "logs/{study}/benchmarks/comparison/{sampler}.tsv"
    script:
        "../scripts/compare_with_theory.py"


rule measure_geometry:
    input:
        trajectories=shards(TRAJECTORIES, "trajectories"),
    output:
        "results/{study}/geometry/{sampler}.zarr.zip",
    log:
        "logs/{study}/geometry/{sampler}.log",
    benchmark:
        "logs/{study}/benchmarks/geometry/{sampler}.tsv"
    script:
        "../scripts/measure_geometry.py"
