# Text-to-image studies: the latent model, its trajectories, and the report.
LATENT_MODEL = text_to_image.files.model()


rule prepare_painted_digits:
    input:
        files_of(text_to_image.files.dataset_files),
    output:
        "results/{study}/dataset.zarr.zip",
    log:
        "logs/{study}/dataset.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.files.has_data),
    resources:
        **text_needs("prepare_painted_digits"),
        place=of_study(lambda study: study.dataset.root),
    params:
        code=code_of("prepare_painted_digits"),
        packages=packages_of("prepare_painted_digits"),
        config=of_study(text_to_image.files.dataset_settings),
    script:
        "../scripts/prepare_painted_digits.py"


rule train_attributes:
    input:
        dataset="results/{study}/dataset.zarr.zip",
    output:
        "results/{study}/attributes.safetensors",
    log:
        "logs/{study}/attributes.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.files.has_data),
    resources:
        **text_needs("train_attributes"),
    params:
        code=code_of("train_attributes"),
        packages=packages_of("train_attributes"),
        config=of_study(lambda study: study.attributes.model_dump()),
    script:
        "../scripts/train_attributes.py"


rule train_vae:
    input:
        dataset="results/{study}/dataset.zarr.zip",
    output:
        vae="results/{study}/vae.safetensors",
        losses="results/{study}/vae_training.zarr.zip",
    log:
        "logs/{study}/vae.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.files.is_trained),
    priority: 10
    threads: of_study(lambda study: study.denoiser.threads)
    resources:
        **text_needs("train_vae"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("train_vae"),
        packages=packages_of("train_vae"),
        config=of_study(lambda study: text_to_image.files.own(study).of_vae()),
    script:
        "../scripts/train_vae.py"


rule train_text_to_image:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        vae="results/{study}/vae.safetensors",
    output:
        **LATENT_MODEL,
        losses="results/{study}/training.zarr.zip",
    log:
        "logs/{study}/train.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.files.is_trained),
    priority: 10
    threads: of_study(lambda study: study.denoiser.threads)
    resources:
        **text_needs("train_text_to_image"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("train_text_to_image"),
        packages=packages_of("train_text_to_image"),
        config=of_study(lambda study: text_to_image.files.own(study).of_text_to_image()),
    script:
        "../scripts/train_text_to_image.py"


rule fetch_latent_model:
    input:
        files_of(text_to_image.files.of_model),
    output:
        **LATENT_MODEL,
    log:
        "logs/{study}/fetch_latent_model.log",
    wildcard_constraints:
        study=text_studies_with(lambda study: study.denoiser.source != "train"),
    resources:
        **text_needs("fetch_latent_model"),
        # where the model lies: no parameter, since it does not change the result
        place=of_study(lambda study: study.denoiser.place),
    params:
        code=code_of("fetch_latent_model"),
        packages=packages_of("fetch_latent_model"),
        config=of_study(lambda study: study.denoiser.settings()),
    script:
        "../scripts/fetch_latent_model.py"


rule sample_latent_trajectories:
    input:
        **LATENT_MODEL,
    output:
        "results/{study}/trajectories/{sampler}/{scale}.zarr.zip",
    log:
        "logs/{study}/trajectories/{sampler}/{scale}.log",
    wildcard_constraints:
        study=text_studies_with(),
        scale=r"g\d+(\.\d+)?",
    resources:
        **text_needs("sample_latent_trajectories"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("sample_latent_trajectories"),
        packages=packages_of("sample_latent_trajectories"),
        config=lambda wildcards: text_to_image.files.trajectory_settings(
            study(wildcards), wildcards.sampler, wildcards.scale
        ),
    script:
        "../scripts/sample_latent_trajectories.py"


use rule measure_geometry as measure_latent_geometry with:
    input:
        trajectories="results/{study}/trajectories/{sampler}/{scale}.zarr.zip",
    output:
        "results/{study}/geometry/{sampler}/{scale}.zarr.zip",
    log:
        "logs/{study}/geometry/{sampler}/{scale}.log",
    wildcard_constraints:
        study=text_studies_with(),
        scale=r"g\d+(\.\d+)?",
    resources:
        **text_needs("measure_latent_geometry"),


use rule render_report as render_text_report with:
    input:
        files_of(text_to_image.files.tables),
        files_of(text_figures.files),
    wildcard_constraints:
        study=text_studies_with(),
