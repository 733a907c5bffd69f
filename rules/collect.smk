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
        of_all(files.theory),


rule trajectories:
    input:
        of_all(files.all_trajectories),


rule comparison:
    input:
        of_all(files.comparisons),
        of_all(files.models_compared),


rule geometry:
    input:
        of_all(lambda name, entry: files.of_samplers("geometry", name, entry)),
        of_all(lambda name, entry: [f"results/{name}/tables/geometry.html"]),


rule teleport:
    input:
        of_all(
            lambda name, entry: [
                f"results/{name}/teleport.csv",
                f"results/{name}/tables/teleport.html",
                f"results/{name}/plan.csv",
            ]
            + [f"results/{name}/tables/budget.html"] * files.has_budget(entry)
        ),


rule residual:
    input:
        of_all(files.residual_tables),
        of_all(files.residual_figures),


rule figures:
    input:
        of_all(files.figures),


rule tables:
    input:
        of_all(files.tables),
        ACROSS_STUDIES,


rule report:
    input:
        of_all(files.report),
