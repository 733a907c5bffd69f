# Named targets, for all studies chosen or, with --config studies=NAME, for one.
def sampler_files(kind):
    """A function of (name, study): one artifact of a kind per sampler of the trajectories."""
    return lambda name, entry: [
        f"results/{name}/{kind}/{choice.id}.zarr.zip"
        for choice in entry.trajectories.samplers
    ]


def trajectory_files(name, entry):
    """Every shard of every sampler's trajectories."""
    return [
        f"results/{name}/trajectories/{choice.id}/seeds_{first}-{stop}.zarr.zip"
        for choice in entry.trajectories.samplers
        for first, stop in entry.trajectories.shards
    ]


localrules:
    moments,
    trajectories,
    comparison,
    geometry,
    teleport,
    figures,
    tables,
    report,


rule moments:
    input:
        of_all(
            lambda name, entry: [
                f"results/{name}/moments.zarr.zip",
                f"results/{name}/eigenbasis.zarr.zip",
            ]
        ),


rule trajectories:
    input:
        of_all(trajectory_files),


rule comparison:
    input:
        of_all(sampler_files("comparison")),


rule geometry:
    input:
        of_all(sampler_files("geometry")),
        of_all(lambda name, entry: [f"results/{name}/tables/geometry.html"]),


rule teleport:
    input:
        of_all(
            lambda name, entry: [
                f"results/{name}/teleport.csv",
                f"results/{name}/tables/teleport.html",
            ]
        ),


rule figures:
    input:
        of_all(lambda name, entry: figure_files(name, entry)),


rule tables:
    input:
        of_all(table_files),


rule report:
    input:
        "results/report.html",
