# Figures of teleportation, and of the networks before it: their training.
rule figure_hybrid:
    input:
        samples=files_of(files.shown.gallery_samples),
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
        packages=packages_of("figure_hybrid"),
        config=of_study(
            lambda study: {
                "label": files.stages.headline_first(study.teleport)[0].label,
                "steps": files.stages.headline_first(study.teleport)[0].steps,
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
        packages=packages_of("figure_fidelity"),
        config=of_study(
            lambda study: {
                "labels": {
                    choice.id: choice.label
                    for choice in files.stages.headline_first(study.teleport)
                },
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_fidelity.py"


rule figure_skipping:
    input:
        table="results/{study}/teleport.csv",
    output:
        report(
            "results/{study}/figures/fig17_skipping.png",
            caption="../workflow/report/fig17_skipping.rst",
            category="{study}",
            subcategory="Teleportation",
            labels={"figure": "Fig. 17: image quality by network calls"},
        ),
        "results/{study}/figures/fig17_skipping.pdf",
    log:
        "logs/{study}/figures/fig17_skipping.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig17_skipping.tsv"
    params:
        code=code_of("figure_skipping"),
        packages=packages_of("figure_skipping"),
        config=of_study(
            lambda study: {
                "labels": {
                    choice.id: choice.label
                    for choice in files.stages.headline_first(study.teleport)
                },
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_skipping.py"


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
        packages=packages_of("figure_training"),
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_training.py"


rule figure_young:
    input:
        table=files_of(partial(files.trajectories.of_main, "young", ending="csv")),
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
        study=studies_with(files.sweep.has_young),
    params:
        code=code_of("figure_young"),
        packages=packages_of("figure_young"),
        config=of_study(
            lambda study: {
                "label": files.stages.headline_first(study.teleport)[0].label,
                "extractor": study.teleport.extractor.name,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_young.py"


rule figure_budget:
    input:
        table="results/{study}/teleport.csv",
    output:
        report(
            "results/{study}/figures/fig_budget.png",
            caption="../workflow/report/fig_budget.rst",
            category="{study}",
            subcategory="Teleportation",
            labels={"figure": "Few network calls: with and without jumps"},
        ),
        "results/{study}/figures/fig_budget.pdf",
    log:
        "logs/{study}/figures/fig_budget.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_budget.tsv"
    wildcard_constraints:
        study=studies_with(files.budget.swept),
    params:
        code=code_of("figure_budget"),
        packages=packages_of("figure_budget"),
        config=of_study(
            lambda study: {
                **files.budget.names(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_budget.py"


rule figure_budget_skips:
    input:
        table="results/{study}/teleport.csv",
    output:
        report(
            "results/{study}/figures/fig_budget_skips.png",
            caption="../workflow/report/fig_budget_skips.rst",
            category="{study}",
            subcategory="Teleportation",
            labels={"figure": "Few network calls: where to land"},
        ),
        "results/{study}/figures/fig_budget_skips.pdf",
    log:
        "logs/{study}/figures/fig_budget_skips.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_budget_skips.tsv"
    wildcard_constraints:
        study=studies_with(files.budget.swept),
    params:
        code=code_of("figure_budget_skips"),
        packages=packages_of("figure_budget_skips"),
        config=of_study(
            lambda study: {
                **files.budget.names(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_budget_skips.py"


rule figure_budget_samples:
    input:
        table="results/{study}/teleport.csv",
        samples=files_of(files.budget.pictures),
    output:
        report(
            "results/{study}/figures/fig_budget_samples.png",
            caption="../workflow/report/fig_budget_samples.rst",
            category="{study}",
            subcategory="Teleportation",
            labels={"figure": "Few network calls: images"},
        ),
        "results/{study}/figures/fig_budget_samples.pdf",
    log:
        "logs/{study}/figures/fig_budget_samples.log",
    benchmark:
        "logs/{study}/benchmarks/figures/fig_budget_samples.tsv"
    wildcard_constraints:
        study=studies_with(files.budget.swept),
    params:
        code=code_of("figure_budget_samples"),
        packages=packages_of("figure_budget_samples"),
        config=of_study(
            lambda study: {
                "sampler": files.budget.shown_sampler(study),
                "runs": files.budget.shown(study),
                **files.budget.names(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_budget_samples.py"
