# Figures of trajectories, each as PNG for the report and PDF for print: what they look like, and their shape.
rule figure_generation:
    input:
        trajectories=files_of(files.shown.trajectory),
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
    resources:
        **needs("figure_generation"),
    params:
        code=code_of("figure_generation"),
        packages=packages_of("figure_generation"),
        config=of_study(
            lambda study: {
                "seed": files.shown.seed_of(study),
                "snapshots": study.figures.snapshots,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_generation.py"


rule figure_geometry:
    input:
        geometry=files_of(partial(files.trajectories.of_samplers, "geometry")),
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
        packages=packages_of("figure_geometry"),
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
        "../scripts/figure_geometry.py"


rule figure_endpoints:
    input:
        trajectories=files_of(files.shown.pair_trajectories),
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
    resources:
        **needs("figure_endpoints"),
    params:
        code=code_of("figure_endpoints"),
        packages=packages_of("figure_endpoints"),
        config=of_study(
            lambda study: {
                "label": files.stages.headline_first(study.trajectories)[0].label,
                "seeds": files.shown.pair_of(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_endpoints.py"
