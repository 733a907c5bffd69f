# Images of a study, brought to one size and packed into one file.
rule prepare_dataset:
    input:
        files_of(files.sources.of_dataset),
    output:
        "results/{study}/dataset.zarr.zip",
    log:
        "logs/{study}/dataset.log",
    resources:
        **needs("prepare_dataset"),
        # where the data lie: no parameter, since it does not change the result
        place=of_study(lambda study: study.dataset.place),
    params:
        code=code_of("prepare_dataset"),
        packages=packages_of("prepare_dataset"),
        config=of_study(lambda study: study.dataset.settings()),
    script:
        "../scripts/prepare_dataset.py"
