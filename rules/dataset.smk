# Images of a study, brought to one size and packed into one file.
from underpainting.datasets import source_files


rule prepare_dataset:
    input:
        lambda wildcards: source_files(study(wildcards).dataset),
    output:
        "results/{study}/dataset.zarr.zip",
    log:
        "logs/{study}/dataset.log",
    benchmark:
        "logs/{study}/benchmarks/dataset.tsv"
    params:
        config=of_study(lambda study: study.dataset.model_dump()),
    script:
        "../scripts/prepare_dataset.py"
