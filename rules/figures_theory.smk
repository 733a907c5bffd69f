# Figures of the theory: the closed form, the eigenbasis, and what the theory predicts beyond trajectories.
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
    resources:
        **needs("figure_theory"),
    params:
        code=code_of("figure_theory"),
        packages=packages_of("figure_theory"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_theory.py"


rule figure_perturbation:
    input:
        perturbation=files_of(partial(files.trajectories.of_main, "perturbation")),
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
        packages=packages_of("figure_perturbation"),
        config=of_study(
            lambda study: {
                "label": files.stages.headline_first(study.trajectories)[0].label,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_perturbation.py"


rule figure_emergence:
    input:
        emergence=files_of(partial(files.trajectories.of_main, "emergence")),
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
        packages=packages_of("figure_emergence"),
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
        packages=packages_of("figure_score"),
        config=of_study(
            lambda study: {
                "labels": files.shown.labels(study),
                "paper": study.paper,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_score.py"


rule figure_eigenbasis:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        emergence=files_of(partial(files.trajectories.of_main, "emergence")),
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
    resources:
        **needs("figure_eigenbasis"),
        # for the caption; what it depends on is a parameter of the images
        reading=of_study(lambda study: study.dataset.reading()),
    params:
        code=code_of("figure_eigenbasis"),
        packages=packages_of("figure_eigenbasis"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_eigenbasis.py"
