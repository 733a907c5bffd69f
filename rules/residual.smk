# The same network and recipe, trained plainly and on a Gaussian, at equal training steps: `residual` in a study file.
FORM = "results/{study}/residual/{form}/seed_{seed}/steps_{steps}"


wildcard_constraints:
    form=r"[a-z]+",
    seed=r"\d+",


use rule train_denoiser as train_form with:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        eigenbasis=files_of(files.residual.basis),
    output:
        **{
            name: path.replace("results/{study}", FORM)
            for name, path in NETWORK.items()
        },
        losses=f"{FORM}/training.zarr.zip",
        snapshots=f"{FORM}/snapshots.safetensors",
    log:
        "logs/{study}/residual/{form}/seed_{seed}/train_{steps}.log",
    wildcard_constraints:
        study=studies_with(files.residual.compared),
    priority: 0
    resources:
        **needs("train_form"),
        device=of_study(lambda study: study.device),
        checkpoint_seconds=30,
    params:
        code=code_of("train_denoiser"),
        packages=packages_of("train_denoiser"),
        config=files_of(files.residual.recipe),


rule measure_residual:
    input:
        index=files_of(partial(files.residual.networks, part="model_index.json")),
        config=files_of(partial(files.residual.networks, part="unet/config.json")),
        weights=files_of(
            partial(
                files.residual.networks,
                part="unet/diffusion_pytorch_model.safetensors",
            )
        ),
        scheduler=files_of(
            partial(files.residual.networks, part="scheduler/scheduler_config.json")
        ),
        dataset="results/{study}/dataset.zarr.zip",
        real="results/{study}/reference_features.zarr.zip",
        extractor=files_of(files.sources.of_extractor),
    output:
        "results/{study}/residual/{form}/seed_{seed}.json",
    log:
        "logs/{study}/residual/{form}/seed_{seed}/measure.log",
    wildcard_constraints:
        study=studies_with(files.residual.compared),
    resources:
        **needs("measure_residual"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("measure_residual"),
        packages=packages_of("measure_residual"),
        config=files_of(files.residual.settings),
    script:
        "../scripts/measure_residual.py"


# seconds: not worth a cluster's queue
localrules:
    tabulate_residual,


rule tabulate_residual:
    input:
        files_of(files.residual.rows),
    output:
        csv="results/{study}/residual.csv",
        html=report(
            "results/{study}/tables/residual.html",
            caption="../workflow/report/residual_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Training with and without a Gaussian"},
        ),
    log:
        "logs/{study}/residual_table.log",
    wildcard_constraints:
        study=studies_with(files.residual.compared),
    params:
        code=code_of("tabulate_residual"),
        packages=packages_of("tabulate_residual"),
        config=of_study(lambda study: {"extractor": study.teleport.extractor.name}),
    script:
        "../scripts/tabulate_residual.py"
