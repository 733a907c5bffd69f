# Figures of theories beside samplers. The main sampler is the first DDIM one, else the first.
rule figure_endpoint:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=files_of(files.shown.trajectory),
    output:
        report(
            "results/{study}/figures/fig04a_endpoint.png",
            caption="../workflow/report/fig04a_endpoint.rst",
            category="{study}",
            subcategory="Comparison",
            labels={"figure": "Fig. 4 A: endpoint estimates"},
        ),
        "results/{study}/figures/fig04a_endpoint.pdf",
    log:
        "logs/{study}/figures/fig04a_endpoint.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig04a_endpoint.tsv"
    resources:
        **needs("figure_endpoint"),
    params:
        code=code_of("figure_endpoint"),
        packages=packages_of("figure_endpoint"),
        config=of_study(
            lambda study: {
                "label": files.stages.headline_first(study.trajectories)[0].label,
                "seed": files.shown.seed_of(study),
                "snapshots": study.figures.snapshots,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_endpoint.py"


rule figure_samples:
    input:
        trajectories=files_of(files.shown.gallery_trajectories),
        models=files_of(files.theories.models_compared),
    output:
        report(
            "results/{study}/figures/fig04b_samples.png",
            caption="../workflow/report/fig04b_samples.rst",
            category="{study}",
            subcategory="Comparison",
            labels={"figure": "Fig. 4 B: samples and predictions"},
        ),
        "results/{study}/figures/fig04b_samples.pdf",
    log:
        "logs/{study}/figures/fig04b_samples.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig04b_samples.tsv"
    resources:
        **needs("figure_samples"),
    params:
        code=code_of("figure_samples"),
        packages=packages_of("figure_samples"),
        config=of_study(
            lambda study: {
                "labels": files.shown.labels(study),
                "gallery": study.figures.gallery,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_samples.py"


rule figure_error:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        comparison=files_of(files.theories.comparisons),
    output:
        report(
            "results/{study}/figures/fig04c_error.png",
            caption="../workflow/report/fig04c_error.rst",
            category="{study}",
            subcategory="Comparison",
            labels={"figure": "Fig. 4 C: error of the Gaussian solution"},
        ),
        "results/{study}/figures/fig04c_error.pdf",
    log:
        "logs/{study}/figures/fig04c_error.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig04c_error.tsv"
    params:
        code=code_of("figure_error"),
        packages=packages_of("figure_error"),
        config=of_study(
            lambda study: {
                "labels": [
                    choice.label
                    for choice in files.stages.headline_first(study.trajectories)
                ],
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_error.py"


rule figure_models:
    input:
        models=files_of(files.theories.models_compared),
    output:
        report(
            "results/{study}/figures/fig04d_models.png",
            caption="../workflow/report/fig04d_models.rst",
            category="{study}",
            subcategory="Comparison",
            labels={"figure": "Fig. 4 D: errors of three models"},
        ),
        "results/{study}/figures/fig04d_models.pdf",
    log:
        "logs/{study}/figures/fig04d_models.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig04d_models.tsv"
    params:
        code=code_of("figure_models"),
        packages=packages_of("figure_models"),
        config=of_study(
            lambda study: {
                "labels": files.shown.labels(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_models.py"


rule figure_validation:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        gaussian=lambda wildcards: files_of(files.theories.models_compared)(wildcards)[
            0
        ],
        trajectories=files_of(files.shown.gallery_trajectories),
    output:
        report(
            "results/{study}/figures/fig12_validation.png",
            caption="../workflow/report/fig12_validation.rst",
            category="{study}",
            subcategory="Comparison",
            labels={"figure": "Fig. 12-14: the Gaussian solution"},
        ),
        "results/{study}/figures/fig12_validation.pdf",
    log:
        "logs/{study}/figures/fig12_validation.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig12_validation.tsv"
    resources:
        **needs("figure_validation"),
    params:
        code=code_of("figure_validation"),
        packages=packages_of("figure_validation"),
        config=of_study(
            lambda study: {
                "labels": files.shown.labels(study),
                "seed": files.shown.example_seed(study),
                "gallery": study.figures.gallery,
                "snapshots": study.figures.snapshots,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_validation.py"


rule figure_components:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=files_of(files.shown.gallery_trajectories),
    output:
        report(
            "results/{study}/figures/fig15_components.png",
            caption="../workflow/report/fig15_components.rst",
            category="{study}",
            subcategory="Comparison",
            labels={"figure": "Fig. 15: on and off the manifold"},
        ),
        "results/{study}/figures/fig15_components.pdf",
    log:
        "logs/{study}/figures/fig15_components.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig15_components.tsv"
    resources:
        **needs("figure_components"),
    params:
        code=code_of("figure_components"),
        packages=packages_of("figure_components"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_components.py"


rule figure_table:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        retrieval=files_of(partial(files.trajectories.of_main, "retrieval")),
        trajectories=files_of(files.shown.gallery_trajectories),
        models=files_of(files.theories.models_compared),
    output:
        report(
            "results/{study}/figures/fig16_models.png",
            caption="../workflow/report/fig16_models.rst",
            category="{study}",
            subcategory="Comparison",
            labels={"figure": "Fig. 16: three models side by side"},
        ),
        "results/{study}/figures/fig16_models.pdf",
    log:
        "logs/{study}/figures/fig16_models.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig16_models.tsv"
    resources:
        **needs("figure_table"),
    params:
        code=code_of("figure_table"),
        packages=packages_of("figure_table"),
        config=of_study(
            lambda study: {
                "labels": files.shown.labels(study),
                "seed": files.shown.example_seed(study),
                "gallery": study.figures.gallery,
                "snapshots": study.figures.snapshots,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_table.py"


rule figure_retrieval:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        retrieval=files_of(partial(files.trajectories.of_main, "retrieval")),
        trajectories=files_of(files.shown.gallery_trajectories),
    output:
        report(
            "results/{study}/figures/fig_retrieval.png",
            caption="../workflow/report/fig_retrieval.rst",
            category="{study}",
            subcategory="Comparison",
            labels={"figure": "Nearest training images"},
        ),
        "results/{study}/figures/fig_retrieval.pdf",
    log:
        "logs/{study}/figures/fig_retrieval.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_retrieval.tsv"
    params:
        code=code_of("figure_retrieval"),
        packages=packages_of("figure_retrieval"),
        config=of_study(
            lambda study: {
                "labels": files.shown.labels(study),
                "gallery": study.figures.gallery,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_retrieval.py"
