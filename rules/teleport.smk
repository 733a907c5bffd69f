# The teleport sweep: samples and features per shard and skip, distances per skip, one tidy table.
# Skips that a study lists together share a job, which loads the network once: a rule for each such group, beside the one for
# any skip alone. They differ in their outputs only, never in `params` or `input`, so a skip that changes its group reruns nothing.
SHARING = {
    "_".join(["sample_teleport", *map(str, group)]): group
    for entry in STUDIES.values()
    for group in entry.teleport.skip_groups
    if len(group) > 1
}
for rule_name, skips in {"sample_teleport": ("{skip}",), **SHARING}.items():

    rule:
        name:
            rule_name
        input:
            **NETWORK,
            eigenbasis="results/{study}/eigenbasis.zarr.zip",
        output:
            [files.sweep.samples(skip) for skip in skips],
        log:
            f"logs/{{study}}/teleport/{{sampler}}/skip_{'-'.join(map(str, skips))}/samples_{{first}}-{{stop}}.log",
        benchmark:
            f"logs/{{study}}/benchmarks/teleport/{{sampler}}/skip_{'-'.join(map(str, skips))}/samples_{{first}}-{{stop}}.tsv"
        wildcard_constraints:
            study=studies_with(
                lambda study: rule_name not in SHARING
                or skips in study.teleport.skip_groups
            ),
        resources:
            **needs("sample_teleport", parts=len(skips)),
            device=of_study(lambda study: study.device),
        params:
            code=code_of("sample_teleport"),
            packages=packages_of("sample_teleport"),
            config=lambda wildcards: {
                "sampler": sampler(wildcards, "teleport"),
                "batch_size": study(wildcards).teleport.batch_size,
                "compute": study(wildcards).compute(),
            },
        script:
            "../scripts/sample_teleport.py"


workflow.ruleorder(*SHARING, "sample_teleport")


rule train_classifier:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        clusters=files_of(files.theories.cluster_labels),
    output:
        "results/{study}/classifier.safetensors",
    log:
        "logs/{study}/classifier.log",
    benchmark:
        "logs/{study}/benchmarks/classifier.tsv"
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
        images="results/{study}/teleport/{sampler}/skip_{skip}/samples/seeds_{first}-{stop}.zarr.zip",
        extractor=files_of(files.sources.of_extractor),
    output:
        "results/{study}/teleport/{sampler}/skip_{skip}/features/seeds_{first}-{stop}.zarr.zip",
    log:
        "logs/{study}/teleport/{sampler}/skip_{skip}/features_{first}-{stop}.log",
    benchmark:
        "logs/{study}/benchmarks/teleport/{sampler}/skip_{skip}/features_{first}-{stop}.tsv"
    resources:
        **needs("extract_features"),
    params:
        code=code_of("extract_features"),
        packages=packages_of("extract_features"),
        config=of_study(lambda study: {"extractor": study.teleport.extractor.name}),
    script:
        "../scripts/extract_features.py"


use rule extract_features as extract_reference_features with:
    input:
        images="results/{study}/dataset.zarr.zip",
        extractor=files_of(files.sources.of_extractor),
    output:
        "results/{study}/reference_features.zarr.zip",
    log:
        "logs/{study}/reference_features.log",
    benchmark:
        "logs/{study}/benchmarks/reference_features.tsv"
    resources:
        **needs("extract_reference_features"),


rule measure_fidelity:
    input:
        generated=files_of(files.sweep.features),
        plain=files_of(files.sweep.plain_features),
        real="results/{study}/reference_features.zarr.zip",
    output:
        "results/{study}/teleport/{sampler}/skip_{skip}/fidelity.json",
    log:
        "logs/{study}/teleport/{sampler}/skip_{skip}/fidelity.log",
    benchmark:
        "logs/{study}/benchmarks/teleport/{sampler}/skip_{skip}/fidelity.tsv"
    resources:
        **needs("measure_fidelity"),
    params:
        code=code_of("measure_fidelity"),
        packages=packages_of("measure_fidelity"),
        config=of_study(files.sweep.fidelity_settings),
    script:
        "../scripts/measure_fidelity.py"
