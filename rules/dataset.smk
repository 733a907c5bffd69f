# Images of a study, brought to one size and packed into one file.
rule prepare_dataset:
    input:
        of_study(lambda study: files.sources(study.dataset)),
    output:
        "results/{study}/dataset.zarr.zip",
    log:
        "logs/{study}/dataset.log",
    benchmark:
        "logs/{study}/benchmarks/dataset.tsv"
    params:
        code=code_of("prepare_dataset"),
        config=of_study(lambda study: study.dataset.model_dump()),
    script:
        "../scripts/prepare_dataset.py"
