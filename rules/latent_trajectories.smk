# Trajectories of latents: geometry, decoded images, perturbations, samplers compared, claims.
LATENT_SCALE = r"g\d+(\.\d+)?"
latent_geometry = text_to_image.geometry


use rule measure_geometry as measure_latent_geometry_of_data with:
    input:
        trajectories="results/{study}/trajectories/{sampler}/{scale}.zarr.zip",
    output:
        "results/{study}/geometry_of_data/{sampler}/{scale}.zarr.zip",
    log:
        "logs/{study}/geometry_of_data/{sampler}/{scale}.log",
    wildcard_constraints:
        study=text_studies_with(),
        scale=LATENT_SCALE,
    resources:
        **text_needs("measure_latent_geometry_of_data"),
    params:
        code=code_of("measure_geometry"),
        packages=packages_of("measure_geometry"),
        config={"of_data": True},


rule decode_trajectories:
    input:
        **LATENT_MODEL,
        trajectories="results/{study}/trajectories/{sampler}/{scale}.zarr.zip",
    output:
        "results/{study}/views/{sampler}/{scale}.zarr.zip",
    log:
        "logs/{study}/views/{sampler}/{scale}.log",
    wildcard_constraints:
        study=text_studies_with(),
        scale=LATENT_SCALE,
    resources:
        **text_needs("decode_trajectories"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("decode_trajectories"),
        packages=packages_of("decode_trajectories"),
        config=of_study(latent_geometry.view_settings),
    script:
        "../scripts/decode_trajectories.py"


rule perturb_latents:
    input:
        **LATENT_MODEL,
        trajectories="results/{study}/trajectories/{sampler}/{scale}.zarr.zip",
        distance=files_of(latent_geometry.distance_weights),
        gaussians=files_of(latent_geometry.gaussians),
    output:
        responses="results/{study}/perturbation/{sampler}/{scale}.zarr.zip",
        images="results/{study}/perturbation_images/{sampler}/{scale}.zarr.zip",
    log:
        "logs/{study}/perturbation/{sampler}/{scale}.log",
    wildcard_constraints:
        study=text_studies_with(),
        scale=LATENT_SCALE,
    resources:
        **text_needs("perturb_latents"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("perturb_latents"),
        packages=packages_of("perturb_latents"),
        config=lambda wildcards: latent_geometry.perturbation_settings(
            study(wildcards), wildcards.sampler, wildcards.scale
        ),
    script:
        "../scripts/perturb_latents.py"


rule compare_samplers:
    input:
        **LATENT_MODEL,
        trajectories=files_of(partial(latent_geometry.of_runs, "trajectories")),
        distance=files_of(latent_geometry.distance_weights),
    output:
        "results/{study}/samplers.zarr.zip",
    log:
        "logs/{study}/samplers.log",
    wildcard_constraints:
        study=text_studies_with(),
    resources:
        **text_needs("compare_samplers"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("compare_samplers"),
        packages=packages_of("compare_samplers"),
        config=of_study(latent_geometry.comparison_settings),
    script:
        "../scripts/compare_samplers.py"


# seconds: not worth a cluster's queue
localrules:
    tabulate_latent_geometry,
    tabulate_latent_claims,
    tabulate_latent_findings,


use rule tabulate_geometry as tabulate_latent_geometry with:
    input:
        geometry=files_of(partial(latent_geometry.of_runs, "geometry")),
    wildcard_constraints:
        study=text_studies_with(),
    params:
        code=code_of("tabulate_geometry"),
        packages=packages_of("tabulate_geometry"),
        config=of_study(latent_geometry.geometry_names),


rule tabulate_latent_claims:
    input:
        geometry=files_of(partial(latent_geometry.of_runs, "geometry")),
        geometry_of_data=files_of(partial(latent_geometry.of_runs, "geometry_of_data")),
        perturbation=files_of(latent_geometry.perturbations),
        finals="results/{study}/samplers.zarr.zip",
    output:
        csv="results/{study}/latent_claims.csv",
        html=report(
            "results/{study}/tables/latent_claims.html",
            caption="../workflow/report/latent_claims_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "Claims about trajectories of latents"},
        ),
    log:
        "logs/{study}/latent_claims_table.log",
    wildcard_constraints:
        study=text_studies_with(),
    params:
        code=code_of("tabulate_latent_claims"),
        packages=packages_of("tabulate_latent_claims"),
        config=of_study(latent_geometry.claim_settings),
    script:
        "../scripts/tabulate_latent_claims.py"


rule tabulate_latent_findings:
    input:
        unpack(files_of(text_to_image.files.findings_inputs)),
    output:
        "results/{study}/findings.json",
    log:
        "logs/{study}/findings.log",
    wildcard_constraints:
        study=text_studies_with(),
    params:
        code=code_of("tabulate_latent_findings"),
        packages=packages_of("tabulate_latent_findings"),
        config=of_study(text_to_image.files.findings_settings),
    script:
        "../scripts/tabulate_latent_findings.py"
