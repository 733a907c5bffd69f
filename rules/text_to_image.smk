# Text-to-image studies: the latent model, its trajectories, and the report.
LATENT_MODEL = text_to_image.files.model()


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
