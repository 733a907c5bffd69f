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
