# Theory against samplers, and the geometry of trajectories.


rule compare_with_theory:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=files_of(files.trajectories),
    output:
        "results/{study}/comparison/{sampler}.zarr.zip",
    log:
        "logs/{study}/comparison/{sampler}.log",
    benchmark:
        "logs/{study}/benchmarks/comparison/{sampler}.tsv"
    params:
        code=code_of("compare_with_theory"),
    script:
        "../scripts/compare_with_theory.py"


rule measure_geometry:
    input:
        trajectories=files_of(files.trajectories),
    output:
        "results/{study}/geometry/{sampler}.zarr.zip",
    log:
        "logs/{study}/geometry/{sampler}.log",
    benchmark:
        "logs/{study}/benchmarks/geometry/{sampler}.tsv"
    params:
        code=code_of("measure_geometry"),
    script:
        "../scripts/measure_geometry.py"
