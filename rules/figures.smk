# The figures, each as PNG for the report and PDF for print. The headline sampler is the first DDIM one, else the first.
rule figure_generation:
    input:
        trajectories=files_of(files.shown_trajectory),
    output:
        report(
            "results/{study}/figures/fig01_generation.png",
            caption="../workflow/report/fig01_generation.rst",
            category="{study}",
            subcategory="Geometry",
            labels={"figure": "Fig. 1: three ways to watch a generation"},
        ),
        "results/{study}/figures/fig01_generation.pdf",
    log:
        "logs/{study}/figures/fig01_generation.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig01_generation.tsv"
    params:
        code=code_of("figure_generation"),
        config=of_study(
            lambda study: {
                "seed": files.shown_seed(study),
                "snapshots": study.figures.snapshots,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_generation.py"


rule figure_theory:
    input:
        schedule="results/{study}/denoiser/schedule.zarr.zip",
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
    output:
        report(
            "results/{study}/figures/fig03_theory.png",
            caption="../workflow/report/fig03_theory.rst",
            category="{study}",
            subcategory="Theory",
            labels={"figure": "Fig. 3: the closed form"},
        ),
        "results/{study}/figures/fig03_theory.pdf",
    log:
        "logs/{study}/figures/fig03_theory.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig03_theory.tsv"
    params:
        code=code_of("figure_theory"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_theory.py"


rule figure_endpoint:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=files_of(files.shown_trajectory),
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
    params:
        code=code_of("figure_endpoint"),
        config=of_study(
            lambda study: {
                "label": files.headline_first(study.trajectories)[0].label,
                "seed": files.shown_seed(study),
                "snapshots": study.figures.snapshots,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_endpoint.py"


rule figure_samples:
    input:
        trajectories=files_of(files.gallery_trajectories),
        models=files_of(files.models_compared),
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
    params:
        code=code_of("figure_samples"),
        config=of_study(
            lambda study: {
                "labels": files.labels(study),
                "gallery": study.figures.gallery,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_samples.py"


rule figure_error:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        comparison=files_of(files.comparisons),
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
        config=of_study(
            lambda study: {
                "labels": [
                    choice.label for choice in files.headline_first(study.trajectories)
                ],
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_error.py"


rule figure_models:
    input:
        models=files_of(files.models_compared),
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
        config=of_study(
            lambda study: {
                "labels": files.labels(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_models.py"


rule figure_hybrid:
    input:
        samples=files_of(files.gallery_samples),
    output:
        report(
            "results/{study}/figures/fig04e_hybrid.png",
            caption="../workflow/report/fig04e_hybrid.rst",
            category="{study}",
            subcategory="Teleportation",
            labels={"figure": "Fig. 4 E: images of the hybrid method"},
        ),
        "results/{study}/figures/fig04e_hybrid.pdf",
    log:
        "logs/{study}/figures/fig04e_hybrid.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig04e_hybrid.tsv"
    params:
        code=code_of("figure_hybrid"),
        config=of_study(
            lambda study: {
                "label": files.headline_first(study.teleport)[0].label,
                "steps": files.headline_first(study.teleport)[0].steps,
                "skips": list(study.teleport.skips),
                "gallery": study.figures.gallery,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_hybrid.py"


rule figure_fidelity:
    input:
        table="results/{study}/teleport.csv",
    output:
        report(
            "results/{study}/figures/fig04f_fidelity.png",
            caption="../workflow/report/fig04f_fidelity.rst",
            category="{study}",
            subcategory="Teleportation",
            labels={"figure": "Fig. 4 F: image quality by skipped steps"},
        ),
        "results/{study}/figures/fig04f_fidelity.pdf",
    log:
        "logs/{study}/figures/fig04f_fidelity.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig04f_fidelity.tsv"
    params:
        code=code_of("figure_fidelity"),
        config=of_study(
            lambda study: {
                "labels": {
                    choice.id: choice.label
                    for choice in files.headline_first(study.teleport)
                },
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_fidelity.py"


rule figure_geometry:
    input:
        geometry=files_of(partial(files.of_samplers, "geometry")),
    output:
        report(
            "results/{study}/figures/fig10_geometry.png",
            caption="../workflow/report/fig10_geometry.rst",
            category="{study}",
            subcategory="Geometry",
            labels={"figure": "Fig. 10: geometry of trajectories"},
        ),
        "results/{study}/figures/fig10_geometry.pdf",
    log:
        "logs/{study}/figures/fig10_geometry.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig10_geometry.tsv"
    params:
        code=code_of("figure_geometry"),
        config=of_study(
            lambda study: {
                "labels": [
                    choice.label for choice in files.headline_first(study.trajectories)
                ],
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_geometry.py"


rule figure_validation:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        gaussian=lambda wildcards: files_of(files.models_compared)(wildcards)[0],
        trajectories=files_of(files.gallery_trajectories),
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
    params:
        code=code_of("figure_validation"),
        config=of_study(
            lambda study: {
                "labels": files.labels(study),
                "seed": files.example_seed(study),
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
        trajectories=files_of(files.gallery_trajectories),
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
    params:
        code=code_of("figure_components"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_components.py"


rule figure_table:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        retrieval=files_of(partial(files.of_main, "retrieval")),
        trajectories=files_of(files.gallery_trajectories),
        models=files_of(files.models_compared),
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
    params:
        code=code_of("figure_table"),
        config=of_study(
            lambda study: {
                "labels": files.labels(study),
                "seed": files.example_seed(study),
                "gallery": study.figures.gallery,
                "snapshots": study.figures.snapshots,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_table.py"


rule figure_endpoints:
    input:
        trajectories=files_of(files.pair_trajectories),
    output:
        report(
            "results/{study}/figures/fig25_endpoints.png",
            caption="../workflow/report/fig25_endpoints.rst",
            category="{study}",
            subcategory="Geometry",
            labels={"figure": "Fig. 25-26: endpoint estimates"},
        ),
        "results/{study}/figures/fig25_endpoints.pdf",
    log:
        "logs/{study}/figures/fig25_endpoints.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig25_endpoints.tsv"
    params:
        code=code_of("figure_endpoints"),
        config=of_study(
            lambda study: {
                "label": files.headline_first(study.trajectories)[0].label,
                "seeds": files.shown_pair(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_endpoints.py"


rule figure_perturbation:
    input:
        perturbation=files_of(partial(files.of_main, "perturbation")),
    output:
        report(
            "results/{study}/figures/fig22_perturbation.png",
            caption="../workflow/report/fig22_perturbation.rst",
            category="{study}",
            subcategory="Theory",
            labels={"figure": "Fig. 22: perturbed trajectories"},
        ),
        "results/{study}/figures/fig22_perturbation.pdf",
    log:
        "logs/{study}/figures/fig22_perturbation.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig22_perturbation.tsv"
    params:
        code=code_of("figure_perturbation"),
        config=of_study(
            lambda study: {
                "label": files.headline_first(study.trajectories)[0].label,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_perturbation.py"


rule figure_emergence:
    input:
        emergence=files_of(partial(files.of_main, "emergence")),
    output:
        report(
            "results/{study}/figures/fig_emergence.png",
            caption="../workflow/report/fig_emergence.rst",
            category="{study}",
            subcategory="Theory",
            labels={"figure": "When components emerge"},
        ),
        "results/{study}/figures/fig_emergence.pdf",
    log:
        "logs/{study}/figures/fig_emergence.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_emergence.tsv"
    params:
        code=code_of("figure_emergence"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_emergence.py"


rule figure_score:
    input:
        score="results/{study}/score.zarr.zip",
    output:
        report(
            "results/{study}/figures/fig_score.png",
            caption="../workflow/report/fig_score.rst",
            category="{study}",
            subcategory="Theory",
            labels={"figure": "The score explained"},
        ),
        "results/{study}/figures/fig_score.pdf",
    log:
        "logs/{study}/figures/fig_score.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_score.tsv"
    params:
        code=code_of("figure_score"),
        config=of_study(
            lambda study: {
                "labels": files.labels(study),
                "paper": study.paper,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_score.py"


rule figure_retrieval:
    input:
        dataset="results/{study}/dataset.zarr.zip",
        retrieval=files_of(partial(files.of_main, "retrieval")),
        trajectories=files_of(files.gallery_trajectories),
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
        config=of_study(
            lambda study: {
                "labels": files.labels(study),
                "gallery": study.figures.gallery,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_retrieval.py"


rule figure_eigenbasis:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        emergence=files_of(partial(files.of_main, "emergence")),
    output:
        report(
            "results/{study}/figures/fig_eigenbasis.png",
            caption="../workflow/report/fig_eigenbasis.rst",
            category="{study}",
            subcategory="Theory",
            labels={"figure": "Eigenbasis of the data"},
        ),
        "results/{study}/figures/fig_eigenbasis.pdf",
    log:
        "logs/{study}/figures/fig_eigenbasis.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_eigenbasis.tsv"
    params:
        code=code_of("figure_eigenbasis"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_eigenbasis.py"


rule figure_training:
    input:
        losses="results/{study}/training.zarr.zip",
    output:
        report(
            "results/{study}/figures/fig_training.png",
            caption="../workflow/report/fig_training.rst",
            category="{study}",
            subcategory="Figures",
            labels={"figure": "Training of the denoiser"},
        ),
        "results/{study}/figures/fig_training.pdf",
    log:
        "logs/{study}/figures/fig_training.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_training.tsv"
    wildcard_constraints:
        study=studies_with(lambda study: study.denoiser.source == "train"),
    params:
        code=code_of("figure_training"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_training.py"


rule figure_young:
    input:
        table=files_of(partial(files.of_main, "young", ending="csv")),
    output:
        report(
            "results/{study}/figures/fig_young.png",
            caption="../workflow/report/fig_young.rst",
            category="{study}",
            subcategory="Teleportation",
            labels={"figure": "Young networks"},
        ),
        "results/{study}/figures/fig_young.pdf",
    log:
        "logs/{study}/figures/fig_young.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_young.tsv"
    wildcard_constraints:
        study=studies_with(files.has_young),
    params:
        code=code_of("figure_young"),
        config=of_study(
            lambda study: {
                "label": files.headline_first(study.teleport)[0].label,
                "extractor": study.teleport.extractor.name,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_young.py"
