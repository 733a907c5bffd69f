# A study's report: Snakemake's own, written by a second Snakemake that only reads.
import json
import os

# for workflow/report/workflow.rst, which sees the configuration
config["about"] = {
    name: {
        "kind": entry.kind,
        "title": escape_rst(entry.title),
        "description": escape_rst(entry.description),
    }
    for name, entry in ALL_STUDIES.items()
}
# only for the second Snakemake, by scripts/render_report.py: other jobs are given the configuration, without pictures
if FRONT := os.getenv("UNDERPAINTING_FRONT"):
    front = json.loads(Path(FRONT).read_text("utf-8"))
    config["about"] = {
        name: {**text, **front.get(name, {})} for name, text in config["about"].items()
    }


# the digest of layout, style and script of the pages
PAGE_LAYOUT = code.of_files(ROOT / "workflow" / "report" / "page")


localrules:
    render_report,


rule render_report:
    input:
        files_of(files.products.tables),
        files_of(figures.files),
    output:
        "results/{study}/report.html",
    log:
        "logs/{study}/report.log",
    params:
        code=code_of("render_report"),
        packages=packages_of("render_report"),
        config=of_study(
            lambda study: {
                "captions": code.of_files(ROOT / "workflow" / "report"),
                "title": study.title,
                "description": study.description,
            }
        ),
    script:
        "../scripts/render_report.py"


rule render_page:
    input:
        unpack(files_of(page_files.of_images)),
        tables=files_of(files.products.tables),
        figures=files_of(figures.files),
    output:
        "results/{study}/index.html",
    log:
        "logs/{study}/page.log",
    wildcard_constraints:
        study=studies_with(lambda study: True),
    resources:
        **needs("render_page"),
    params:
        code=code_of("render_page"),
        packages=packages_of("render_page"),
        config=lambda wildcards: page_files.settings(
            study(wildcards),
            figures.of_study(study(wildcards)),
            PAGE_LAYOUT,
            code_of,
        ),
    script:
        "../scripts/render_page.py"


use rule render_page as render_text_page with:
    input:
        unpack(files_of(page_files.of_latents)),
        tables=files_of(text_to_image.files.tables),
        figures=files_of(text_figures.files),
    wildcard_constraints:
        study=text_studies_with(),
    resources:
        **text_needs("render_page"),
    params:
        code=code_of("render_page"),
        packages=packages_of("render_page"),
        config=lambda wildcards: page_files.settings(
            study(wildcards),
            text_figures.of_study(study(wildcards)),
            PAGE_LAYOUT,
            code_of,
        ),
