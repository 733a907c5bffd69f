# Named targets, for all studies chosen or, with --config studies=NAME, for one.
localrules:
    moments,
    trajectories,
    comparison,
    geometry,
    teleport,
    residual,
    figures,
    tables,
    report,


rule moments:
    input:
        of_all(files.theories.moments),


rule trajectories:
    input:
        of_all(files.trajectories.of_all),
        of_text(text_to_image.files.trajectories),


rule comparison:
    input:
        of_all(files.theories.comparisons),
        of_all(files.theories.models_compared),


rule geometry:
    input:
        of_all(
            lambda name, entry: files.trajectories.of_samplers("geometry", name, entry)
        ),
        of_all(lambda name, entry: [f"results/{name}/tables/geometry.html"]),
        of_text(text_to_image.files.geometry),


rule teleport:
    input:
        of_all(
            lambda name, entry: [
                f"results/{name}/teleport.csv",
                f"results/{name}/tables/teleport.html",
                f"results/{name}/plan.csv",
            ]
            + [f"results/{name}/tables/low_nfe.html"] * files.low_nfe.swept(entry)
        ),
        of_text(text_to_image.teleport_files.tables),


rule residual:
    input:
        of_all(files.residual.tables),
        of_all(partial(figures.files, draw="residual")),


rule figures:
    input:
        of_all(figures.files),
        of_text(text_figures.files),


rule tables:
    input:
        of_all(files.products.tables),
        of_text(text_to_image.files.tables),
        ACROSS_STUDIES,


rule report:
    input:
        of_all(files.products.report),
        of_text(text_to_image.files.report),
