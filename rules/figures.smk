# The figures, each as PNG for the report and PDF for print. The headline sampler is the first DDIM one, else the first.
def headline_first(stage):
    """The samplers of a stage, the headline sampler first."""
    return sorted(stage.samplers, key=lambda choice: choice.name != "ddim")


def label(choice):
    """A sampler's name in figures, told from others of the same name and length."""
    spacing = choice.timestep_spacing
    return f"{choice.label}, {spacing}" if spacing else choice.label


def shown_seed(entry):
    """The seed of the trajectory shown."""
    given = entry.figures.seed
    return entry.trajectories.first_seed if given is None else given


def shards_with(stage, pattern, seeds):
    """The files of a pattern that hold any of a range of seeds."""
    return [
        pattern.format(first=first, stop=stop)
        for first, stop in stage.shards
        if first < seeds.stop and stop > seeds.start
    ]


def headline_trajectories(select):
    """An input function: the headline sampler's shards with the seeds that `select` takes out of a study."""

    def files(wildcards):
        stage = study(wildcards).trajectories
        folder = (
            f"results/{wildcards.study}/trajectories/{headline_first(stage)[0].id}/"
        )
        return shards_with(stage, folder + SEEDS, select(study(wildcards)))

    return files


def one_seed(entry):
    """The seed of the trajectory shown, as a range."""
    return range(shown_seed(entry), shown_seed(entry) + 1)


def leading(stage, count):
    """The first seeds of a stage, as a range."""
    return range(stage.first_seed, stage.first_seed + count)


def ranked(kind):
    """An input function: one artifact of a kind per sampler of the trajectories, the headline sampler's first."""
    return lambda wildcards: [
        f"results/{wildcards.study}/{kind}/{choice.id}.zarr.zip"
        for choice in headline_first(study(wildcards).trajectories)
    ]


def leading_samples(wildcards):
    """The shards with the first images of the teleport sweep's headline sampler, skip after skip."""
    entry = study(wildcards)
    stage = entry.teleport
    folder = f"results/{wildcards.study}/teleport/{headline_first(stage)[0].id}"
    return [
        file
        for skip in stage.skips
        for file in shards_with(
            stage,
            f"{folder}/skip_{skip}/samples/{SEEDS}",
            leading(stage, entry.figures.gallery),
        )
    ]


def trajectory_labels(entry):
    """Labels of the samplers of the trajectories, the headline sampler's first."""
    return [label(choice) for choice in headline_first(entry.trajectories)]


rule figure_generation:
    input:
        trajectories=headline_trajectories(one_seed),
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
        config=of_study(
            lambda study: {
                "seed": shown_seed(study),
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
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_theory.py"


rule figure_endpoint:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=headline_trajectories(one_seed),
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
        config=of_study(
            lambda study: {
                "label": trajectory_labels(study)[0],
                "seed": shown_seed(study),
                "snapshots": study.figures.snapshots,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_endpoint.py"


rule figure_samples:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        trajectories=headline_trajectories(
            lambda entry: leading(entry.trajectories, entry.figures.gallery)
        ),
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
        config=of_study(
            lambda study: {
                "label": trajectory_labels(study)[0],
                "gallery": study.figures.gallery,
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_samples.py"


rule figure_error:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
        comparison=ranked("comparison"),
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
        config=of_study(
            lambda study: {
                "labels": trajectory_labels(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_error.py"


rule figure_hybrid:
    input:
        samples=leading_samples,
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
        config=of_study(
            lambda study: {
                "label": label(headline_first(study.teleport)[0]),
                "steps": headline_first(study.teleport)[0].steps,
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
        config=of_study(
            lambda study: {
                "labels": {
                    choice.id: label(choice)
                    for choice in headline_first(study.teleport)
                },
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_fidelity.py"


rule figure_geometry:
    input:
        geometry=ranked("geometry"),
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
        config=of_study(
            lambda study: {
                "labels": trajectory_labels(study),
                "dpi": study.figures.dpi,
            }
        ),
    script:
        "../scripts/figure_geometry.py"


rule figure_eigenbasis:
    input:
        eigenbasis="results/{study}/eigenbasis.zarr.zip",
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
        config=of_study(lambda study: {"dpi": study.figures.dpi}),
    script:
        "../scripts/figure_training.py"


FIGURES = (
    "fig01_generation",
    "fig03_theory",
    "fig04a_endpoint",
    "fig04b_samples",
    "fig04c_error",
    "fig04e_hybrid",
    "fig04f_fidelity",
    "fig10_geometry",
    "fig_eigenbasis",
)


def figure_files(name, entry):
    """Every figure of a study, as PNG and PDF."""
    trained = ("fig_training",) if entry.denoiser.source == "train" else ()
    return [
        f"results/{name}/figures/{figure}.{suffix}"
        for figure in (*FIGURES, *trained)
        for suffix in ("png", "pdf")
    ]
