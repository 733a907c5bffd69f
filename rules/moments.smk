# Mean, covariance and eigenbasis of the training images.
rule estimate_moments:
    input:
        dataset="results/{study}/dataset.zarr.zip",
    output:
        "results/{study}/moments.zarr.zip",
    log:
        "logs/{study}/moments.log",
    resources:
        **needs("estimate_moments"),
    params:
        code=code_of("estimate_moments"),
        packages=packages_of("estimate_moments"),
        config=of_study(
            lambda study: {
                **study.moments.model_dump(),
                "diagonal": study.eigenbasis.method != "dense",
            }
        ),
    script:
        "../scripts/estimate_moments.py"


rule decompose_covariance:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        moments="results/{study}/moments.zarr.zip",
    output:
        "results/{study}/eigenbasis.zarr.zip",
    log:
        "logs/{study}/eigenbasis.log",
    resources:
        **needs("decompose_covariance"),
    params:
        code=code_of("decompose_covariance"),
        packages=packages_of("decompose_covariance"),
        config=of_study(lambda study: study.eigenbasis.used()),
    script:
        "../scripts/decompose_covariance.py"
