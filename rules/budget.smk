# Few network calls: every sampler at every budget, from noise or from where a jump has landed.
rule jump_ahead:
    input:
        unpack(files_of(files.budget.jump_inputs)),
        scheduler="results/{study}/denoiser/scheduler/scheduler_config.json",
    output:
        "results/{study}/jumps/{jump}/seeds_{first}-{stop}.zarr.zip",
    log:
        "logs/{study}/jumps/{jump}_{first}-{stop}.log",
    benchmark:
        "logs/{study}/benchmarks/jumps/{jump}_{first}-{stop}.tsv"
    resources:
        **needs("jump_ahead"),
    params:
        code=code_of("jump_ahead"),
        packages=packages_of("jump_ahead"),
        config=lambda wildcards: {
            **study(wildcards).budget.jump(wildcards.jump).model_dump(),
            "batch_size": study(wildcards).budget.batch_size,
        },
    script:
        "../scripts/jump_ahead.py"


# Budgets that a study lists together share a job, which loads the network once: a rule for each sampler and such group, beside
# the one for any number of steps alone. As with skips, they differ in their outputs only.
BUDGETS = {
    "_".join(["sample_budget", solver, *map(str, steps)]): (solver, steps)
    for entry in STUDIES.values()
    if files.budget.swept(entry)
    for solver in entry.budget.samplers
    for steps in entry.budget.step_groups(solver)
    if len(steps) > 1
}
for rule_name, (solver, several) in {
    "sample_budget": (r"[a-z]+", ("{steps}",)),
    **BUDGETS,
}.items():

    rule:
        name:
            rule_name
        input:
            **NETWORK,
            landed=files_of(files.budget.landed),
            extractor=files_of(files.sources.of_extractor),
            autoencoder="results/{study}/autoencoder.safetensors",
            solution="results/{study}/solution.zarr.zip",
        output:
            [files.budget.features_of(steps) for steps in several],
        log:
            f"logs/{{study}}/budget/{{solver}}-{'-'.join(map(str, several))}/{{jump}}_{{first}}-{{stop}}.log",
        benchmark:
            f"logs/{{study}}/benchmarks/budget/{{solver}}-{'-'.join(map(str, several))}/{{jump}}_{{first}}-{{stop}}.tsv"
        wildcard_constraints:
            solver=solver,
            study=studies_with(
                lambda study: rule_name not in BUDGETS
                or files.budget.shares_job(study, solver, several)
            ),
        resources:
            **needs("sample_budget", parts=len(several)),
            device=of_study(lambda study: study.device),
        params:
            code=code_of("sample_budget"),
            packages=packages_of("sample_budget"),
            config=lambda wildcards: {
                "sampler": wildcards.solver,
                "skips": list(study(wildcards).budget.skips(wildcards.jump)),
                "batch_size": study(wildcards).budget.batch_size,
                "extractor": study(wildcards).teleport.extractor.name,
                "compute": study(wildcards).compute(),
            },
        script:
            "../scripts/sample_budget.py"


workflow.ruleorder(*BUDGETS, "sample_budget")


rule measure_budget:
    input:
        generated=files_of(files.budget.features),
        real="results/{study}/reference_features.zarr.zip",
    output:
        "results/{study}/budget/{solver}.json",
    log:
        "logs/{study}/budget/{solver}.log",
    benchmark:
        "logs/{study}/benchmarks/budget/{solver}.tsv"
    resources:
        **needs("measure_budget"),
    params:
        code=code_of("measure_budget"),
        packages=packages_of("measure_budget"),
        config=files_of(files.budget.settings),
    script:
        "../scripts/measure_budget.py"
