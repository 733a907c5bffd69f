# Text-to-image studies with `teleport`: Gaussians of latents, jumps with them, and other ways at the same number of calls.
HELD_OUT_SHOWN = 2000  # real images that agreement with captions is measured on


rule encode_latents:
    input:
        **LATENT_MODEL,
        dataset="results/{study}/dataset.zarr.zip",
    output:
        "results/{study}/latents.zarr.zip",
    log:
        "logs/{study}/latents.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
    resources:
        **text_needs("encode_latents"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("encode_latents"),
        packages=packages_of("encode_latents"),
        config=of_study(lambda study: {"compute": study.compute()}),
    script:
        "../scripts/encode_latents.py"


rule estimate_prompt_gaussians:
    input:
        **LATENT_MODEL,
        latents="results/{study}/latents.zarr.zip",
    output:
        **{
            name: f"results/{{study}}/gaussians/{file}"
            for name, file in text_to_image.teleport_files.GAUSSIANS.items()
        },
        csv="results/{study}/gaussians/likelihood.csv",
    log:
        "logs/{study}/gaussians.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
    resources:
        **text_needs("estimate_prompt_gaussians"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("estimate_prompt_gaussians"),
        packages=packages_of("estimate_prompt_gaussians"),
        config=of_study(text_to_image.teleport_files.gaussian_settings),
    script:
        "../scripts/estimate_prompt_gaussians.py"


use rule train_autoencoder as train_prompt_autoencoder with:
    output:
        "results/{study}/prompt_autoencoder.safetensors",
    log:
        "logs/{study}/prompt_autoencoder.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
    resources:
        **text_needs("train_prompt_autoencoder"),
    params:
        code=code_of("train_autoencoder"),
        packages=packages_of("train_autoencoder"),
        config=of_study(lambda study: study.teleport.autoencoder.model_dump()),


rule extract_prompt_reference:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        classifier="results/{study}/attributes.safetensors",
        autoencoder_file="results/{study}/prompt_autoencoder.safetensors",
    output:
        "results/{study}/latent_teleport/reference.zarr.zip",
    log:
        "logs/{study}/latent_teleport/reference.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
    resources:
        **text_needs("extract_prompt_reference"),
    params:
        code=code_of("extract_prompt_reference"),
        packages=packages_of("extract_prompt_reference"),
        config=of_study(text_to_image.teleport_files.reference_settings),
    script:
        "../scripts/extract_prompt_reference.py"


rule solve_latents:
    input:
        **LATENT_MODEL,
    output:
        "results/{study}/latent_teleport/{scale}/solution.zarr.zip",
    log:
        "logs/{study}/latent_teleport/{scale}/solution.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
        scale=r"g\d+(\.\d+)?",
    resources:
        **text_needs("solve_latents"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("solve_latents"),
        packages=packages_of("solve_latents"),
        config=lambda wildcards: text_to_image.teleport_files.solution_settings(
            study(wildcards), wildcards.scale
        ),
    script:
        "../scripts/solve_latents.py"


rule sample_latent_teleport:
    input:
        unpack(
            lambda wildcards: text_to_image.teleport_files.of_gaussians(
                wildcards.study, wildcards.way
            )
        ),
        **LATENT_MODEL,
        solution="results/{study}/latent_teleport/{scale}/solution.zarr.zip",
        classifier="results/{study}/attributes.safetensors",
        autoencoder="results/{study}/prompt_autoencoder.safetensors",
    output:
        "results/{study}/latent_teleport/{scale}/{sampler}/{way}.zarr.zip",
    log:
        "logs/{study}/latent_teleport/{scale}/{sampler}/{way}.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
        scale=r"g\d+(\.\d+)?",
        way="[a-z]+(_[a-z]+)?",
    resources:
        **text_needs("sample_latent_teleport"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("sample_latent_teleport"),
        packages=packages_of("sample_latent_teleport"),
        config=lambda wildcards: text_to_image.teleport_files.run_settings(
            study(wildcards), wildcards.scale, wildcards.sampler, wildcards.way
        ),
    script:
        "../scripts/sample_latent_teleport.py"


rule measure_latent_teleport:
    input:
        runs=files_of(text_to_image.teleport_files.runs),
        reference="results/{study}/latent_teleport/reference.zarr.zip",
    output:
        "results/{study}/latent_teleport/{scale}.json",
    log:
        "logs/{study}/latent_teleport/{scale}.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
        scale=r"g\d+(\.\d+)?",
    resources:
        **text_needs("measure_latent_teleport"),
    params:
        code=code_of("measure_latent_teleport"),
        packages=packages_of("measure_latent_teleport"),
        config=lambda wildcards: text_to_image.teleport_files.measure_settings(
            study(wildcards), wildcards.scale
        ),
    script:
        "../scripts/measure_latent_teleport.py"


localrules:
    tabulate_latent_teleport,
    tabulate_prompt_gaussians,


rule tabulate_prompt_gaussians:
    input:
        "results/{study}/gaussians/likelihood.csv",
    output:
        report(
            "results/{study}/tables/gaussians.html",
            caption="../workflow/report/gaussians_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Gaussians of latents"},
        ),
    log:
        "logs/{study}/gaussians_table.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
    params:
        code=code_of("tabulate_prompt_gaussians"),
        packages=packages_of("tabulate_prompt_gaussians"),
    script:
        "../scripts/tabulate_prompt_gaussians.py"


rule tabulate_latent_teleport:
    input:
        files_of(text_to_image.teleport_files.rows),
    output:
        csv="results/{study}/latent_teleport.csv",
        html=report(
            "results/{study}/tables/latent_teleport.html",
            caption="../workflow/report/latent_teleport_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Teleportation in latent space"},
        ),
        claims=report(
            "results/{study}/tables/latent_teleport_claims.html",
            caption="../workflow/report/latent_teleport_claims.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Steps that jumps save in latent space"},
        ),
        claims_csv="results/{study}/latent_teleport_claims.csv",
    log:
        "logs/{study}/latent_teleport_table.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
    params:
        code=code_of("tabulate_latent_teleport"),
        packages=packages_of("tabulate_latent_teleport"),
    script:
        "../scripts/tabulate_latent_teleport.py"


rule tabulate_agreement:
    input:
        **LATENT_MODEL,
        dataset="results/{study}/dataset.zarr.zip",
        classifier="results/{study}/attributes.safetensors",
        teleport="results/{study}/latent_teleport.csv",
    output:
        csv="results/{study}/agreement.csv",
        html=report(
            "results/{study}/tables/agreement.html",
            caption="../workflow/report/agreement_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Agreement with captions"},
        ),
    log:
        "logs/{study}/agreement_table.log",
    wildcard_constraints:
        study=text_studies_with(text_to_image.teleport_files.has_sweep),
    resources:
        **text_needs("tabulate_agreement"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("tabulate_agreement"),
        packages=packages_of("tabulate_agreement"),
        config=of_study(
            lambda study: {"images": HELD_OUT_SHOWN, "compute": study.compute()}
        ),
    script:
        "../scripts/tabulate_agreement.py"
