# Mean, covariance and eigenbasis of the training images.
rule estimate_moments:
    input:
        dataset="results/{study}/dataset.zarr.zip",
    output:
        "results/{study}/moments.zarr.zip",
    params:
        config=of_study(
            lambda study: {
                **study.moments.model_dump(),
                "diagonal": study.eigenbasis.method != "dense",
            }
        ),
    log:
        "logs/{study}/moments.log",
    benchmark:
        "logs/{study}/benchmarks/moments.tsv"
    script:
        "../scripts/estimate_moments.py"


rule decompose_covariance:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        moments="results/{study}/moments.zarr.zip",
    output:
        "results/{study}/eigenbasis.zarr.zip",
    params:
        config=of_study(lambda study: study.eigenbasis.model_dump()),
    threads: 2
    log:
        "logs/{study}/eigenbasis.log",
    benchmark:
        "logs/{study}/benchmarks/eigenbasis.tsv"
    script:
        "../scripts/decompose_covariance.py"
