# Theory against samplers: models of the data, their errors, and what else the theory predicts.
from underpainting.theory.theories import COMPARED


wildcard_constraints:
    model="|".join(COMPARED),


rule fit_mixture:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        moments="results/{study}/moments.zarr.zip",
    output:
        "results/{study}/mixture.zarr.zip",
    log:
        "logs/{study}/mixture.log",
    resources:
        **needs("fit_mixture"),
    params:
        code=code_of("fit_mixture"),
        packages=packages_of("fit_mixture"),
        config=of_study(lambda study: study.mixture.used()),
    script:
        "../scripts/fit_mixture.py"


rule compare_with_theory:
    input:
        unpack(files_of(files.theories.inputs)),
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=files_of(files.trajectories.of_sampler),
    output:
        "results/{study}/comparison/{sampler}/{model}.zarr.zip",
    log:
        "logs/{study}/comparison/{sampler}/{model}.log",
    resources:
        **needs("compare_with_theory"),
    params:
        code=code_of("compare_with_theory"),
        packages=packages_of("compare_with_theory"),
        config=files_of(files.theories.settings),
    script:
        "../scripts/compare_with_theory.py"


rule measure_geometry:
    input:
        trajectories=files_of(files.trajectories.of_sampler),
    output:
        "results/{study}/geometry/{sampler}.zarr.zip",
    log:
        "logs/{study}/geometry/{sampler}.log",
    resources:
        **needs("measure_geometry"),
    params:
        code=code_of("measure_geometry"),
        packages=packages_of("measure_geometry"),
    script:
        "../scripts/measure_geometry.py"


rule measure_emergence:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=files_of(files.trajectories.of_sampler),
    output:
        "results/{study}/emergence/{sampler}.zarr.zip",
    log:
        "logs/{study}/emergence/{sampler}.log",
    resources:
        **needs("measure_emergence"),
    params:
        code=code_of("measure_emergence"),
        packages=packages_of("measure_emergence"),
        config=of_study(lambda study: study.emergence.model_dump()),
    script:
        "../scripts/measure_emergence.py"


rule perturb_trajectories:
    input:
        **NETWORK,
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
    output:
        "results/{study}/perturbation/{sampler}.zarr.zip",
    log:
        "logs/{study}/perturbation/{sampler}.log",
    resources:
        **needs("perturb_trajectories"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("perturb_trajectories"),
        packages=packages_of("perturb_trajectories"),
        config=lambda wildcards: {
            **study(wildcards).perturbation.model_dump(exclude={"progress"}),
            "sampler": sampler(wildcards, "trajectories"),
            "steps": study(wildcards).perturbation.steps(
                sampler(wildcards, "trajectories")["steps"]
            ),
            "first_seed": study(wildcards).trajectories.first_seed,
            "batch_size": study(wildcards).trajectories.batch_size,
            "compute": study(wildcards).compute(),
        },
    script:
        "../scripts/perturb_trajectories.py"


rule explain_score:
    input:
        unpack(files_of(files.theories.score_inputs)),
        **NETWORK,
        dataset="results/{study}/dataset.zarr.zip",
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
    output:
        "results/{study}/score.zarr.zip",
    log:
        "logs/{study}/score.log",
    resources:
        **needs("explain_score"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("explain_score"),
        packages=packages_of("explain_score"),
        config=of_study(
            lambda study: {
                **study.score.model_dump(),
                "models": list(study.comparison.models),
                "compute": study.compute(),
            }
        ),
    script:
        "../scripts/explain_score.py"


rule measure_retrieval:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        trajectories=files_of(files.trajectories.of_sampler),
        models=files_of(files.theories.models_compared),
    output:
        "results/{study}/retrieval/{sampler}.zarr.zip",
    log:
        "logs/{study}/retrieval/{sampler}.log",
    resources:
        **needs("measure_retrieval"),
    params:
        code=code_of("measure_retrieval"),
        packages=packages_of("measure_retrieval"),
    script:
        "../scripts/measure_retrieval.py"


rule measure_early_checkpoints:
    input:
        **NETWORK,
        snapshots="results/{study}/snapshots.safetensors",
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        real="results/{study}/reference_features.zarr.zip",
        extractor=files_of(files.sources.of_extractor),
    output:
        "results/{study}/early_checkpoints/{sampler}.csv",
    log:
        "logs/{study}/early_checkpoints/{sampler}.log",
    wildcard_constraints:
        study=studies_with(files.sweep.has_early_checkpoints),
    resources:
        **needs("measure_early_checkpoints"),
        device=of_study(lambda study: study.device),
    params:
        code=code_of("measure_early_checkpoints"),
        packages=packages_of("measure_early_checkpoints"),
        config=lambda wildcards: {
            **study(wildcards).early_checkpoints.model_dump(),
            "sampler": sampler(wildcards, "teleport"),
            "first_seed": study(wildcards).teleport.first_seed,
            "batch_size": study(wildcards).teleport.batch_size,
            "extractor": study(wildcards).teleport.extractor.name,
            "training_steps": study(wildcards).denoiser.training.steps,
            "compute": study(wildcards).compute(),
        },
    script:
        "../scripts/measure_early_checkpoints.py"
