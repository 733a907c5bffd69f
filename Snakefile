# The front door: configuration, rules by stage, named targets (snakemake --list).
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/dataset.smk"
include: "rules/denoiser.smk"
include: "rules/moments.smk"
include: "rules/trajectories.smk"
include: "rules/theory.smk"
include: "rules/teleport.smk"
include: "rules/low_nfe.smk"
include: "rules/planner.smk"
include: "rules/residual.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/text_to_image.smk"
include: "rules/latent_trajectories.smk"
include: "rules/latent_teleport.smk"
include: "rules/collect.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        of_all(files.products.report),
        of_text(text_to_image.files.report),
        of_all(files.products.tables),
        ACROSS_STUDIES,
