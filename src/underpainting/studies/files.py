"""Where the artifacts of a study are: the file names that the rules ask for, below `results/STUDY`.

Pure functions of a study's name and its models; the rules wrap them with wildcards.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from underpainting import foreign_code
from underpainting.samplers import SAMPLERS
from underpainting.studies.budget import NO_JUMP, BudgetConfig
from underpainting.studies.data import DatasetBase, FolderDataset, NpzDataset, TorchvisionDataset
from underpainting.studies.denoiser import (
    OwnDenoiser,
    PathDenoiser,
    PickledDenoiser,
    ReferenceDenoiser,
    TrainedDenoiser,
)
from underpainting.studies.models import Study
from underpainting.studies.residual import ResidualConfig
from underpainting.studies.sampling import (
    ClassifierExtractor,
    InceptionExtractor,
    SamplerChoice,
    SamplerName,
    Seeded,
    TeleportConfig,
    TrajectoriesConfig,
)
from underpainting.studies.theory import THEORY_LABELS

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})
FIGURES = (
    "fig01_generation",
    "fig03_theory",
    "fig04a_endpoint",
    "fig04b_samples",
    "fig04c_error",
    "fig04d_models",
    "fig04e_hybrid",
    "fig04f_fidelity",
    "fig10_geometry",
    "fig12_validation",
    "fig15_components",
    "fig16_models",
    "fig17_skipping",
    "fig22_perturbation",
    "fig25_endpoints",
    "fig_eigenbasis",
    "fig_emergence",
    "fig_retrieval",
    "fig_score",
)
TABLES = ("metrics.json", "teleport.csv", "plan.csv", "geometry.csv", "models.csv", "claims.csv")
TABLE_PAGES = ("teleport", "plan", "geometry", "models", "claims")
OF_BUDGETS = ("fig_budget", "fig_budget_skips", "fig_budget_samples")
SHOWN_BUDGETS = 5, 10
ACROSS_STUDIES = ("results/table2.csv", "results/table2.html")


def image_files(folder: Path) -> list[Path]:
    """The image files below a folder, sorted; hidden files are passed over."""
    files = (file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def sources(dataset: DatasetBase) -> list[str]:
    """The files that a data source reads; none for what comes from a package, the Hub or a download."""
    if isinstance(dataset, NpzDataset):
        return [dataset.path]
    if isinstance(dataset, FolderDataset):
        return [file.as_posix() for file in image_files(Path(dataset.path))]
    if isinstance(dataset, TorchvisionDataset) and not dataset.download:
        folder = Path(dataset.root)
        folder = folder / dataset.name if (folder / dataset.name).is_dir() else folder
        return [file.as_posix() for file in sorted(folder.rglob("*")) if file.is_file()]
    return []


def needed(found: list[str], made: str) -> list[str]:
    """Source files; none, where none is here but what was made from them is: others' results are pulled without raw data."""
    return found if not Path(made).is_file() or any(Path(file).exists() for file in found) else []


def dataset(name: str) -> str:
    """The images of a study."""
    return f"results/{name}/dataset.zarr.zip"


def network(name: str) -> str:
    """The file of the denoiser that is written last."""
    return f"results/{name}/denoiser/model_index.json"


def dataset_sources(name: str, study: Study) -> list[str]:
    """What the images are made from: files, or a whole folder of images, of which there may be a hundred thousand."""
    found = [study.dataset.path] if isinstance(study.dataset, FolderDataset) else sources(study.dataset)
    return needed(found, dataset(name))


def network_sources(name: str, study: Study) -> list[str]:
    """The files of a denoiser that lies in a folder, or of a pickle and of the code that opens it."""
    if isinstance(study.denoiser, PickledDenoiser):
        found = needed([study.denoiser.path], network(name))
        return found and found + [file.as_posix() for file in foreign_code.files(study.denoiser.code)]
    if not isinstance(study.denoiser, PathDenoiser | ReferenceDenoiser):
        return []
    files = Path(study.denoiser.place).rglob("*")
    return sorted(file.as_posix() for file in files if file.suffix in (".json", ".safetensors"))


def training_basis(name: str, study: Study) -> list[str]:
    """The eigenbasis, where the network learns what its Gaussian leaves over."""
    learns_rest = isinstance(study.denoiser, TrainedDenoiser) and study.denoiser.training.residual != "none"
    return [f"results/{name}/eigenbasis.zarr.zip"] if learns_rest else []


def residual_of(study: Study) -> ResidualConfig:
    """The trainings that a study compares."""
    if study.residual is None:
        raise ValueError("this study has no section `residual`")
    return study.residual


def has_residual(study: Study) -> bool:
    """Are trainings with and without the Gaussian compared?"""
    return study.residual is not None


def form_basis(name: str, _: Study, form: str) -> list[str]:
    """The eigenbasis, for a form of training that uses it."""
    return [] if form == "none" else [f"results/{name}/eigenbasis.zarr.zip"]


def form_recipe(_: str, study: Study, form: str, seed: str, steps: str) -> dict[str, object]:
    """The study's own recipe, with another form, seed and number of steps."""
    used = own_denoiser(study).used()
    training = {**used["training"], "residual": form, "seed": int(seed), "steps": int(steps), "snapshots": ()}
    return {**used, "source": "train", "training": training, "device": study.device}


def form_settings(_: str, study: Study) -> dict[str, object]:
    """How the networks of a form and seed are measured: all by the same draws, and by the noise of the same seeds."""
    sweep, draws = study.teleport, {"steps": 1, "batch_size": 256, "prediction_type": "v_prediction"}
    return {
        "training": draws,
        "budgets": list(residual_of(study).budgets),
        "images": residual_of(study).images,
        "sampler": headline_first(sweep)[0].model_dump(),
        "first_seed": sweep.first_seed,
        "batch_size": sweep.batch_size,
        "resamples": sweep.resamples,
        "extractor": sweep.extractor.name,
        "compute": study.compute(),
    }


def own_denoiser(study: Study) -> OwnDenoiser:
    """The network of a study that has a recipe for it."""
    if not isinstance(study.denoiser, OwnDenoiser):
        raise ValueError(f"denoiser.source: {study.denoiser.source} has no recipe")
    return study.denoiser


def form_network(name: str, study: Study, form: str, seed: str, part: str) -> list[str]:
    """One file of each network of a form and seed, the shortest training first."""
    folder = f"results/{name}/residual/{form}/seed_{seed}"
    return [f"{folder}/steps_{steps}/denoiser/{part}" for steps in residual_of(study).budgets]


def residual_rows(name: str, study: Study) -> list[str]:
    """What was measured on the networks of each form and seed."""
    seeds = residual_of(study).training_seeds(own_denoiser(study))
    return [f"results/{name}/residual/{form}/seed_{seed}.json" for form in residual_of(study).forms for seed in seeds]


def residual_tables(name: str, study: Study) -> list[str]:
    """Tables of the trainings compared, where there are any."""
    return [f"results/{name}/residual.csv", f"results/{name}/tables/residual.html"] if has_residual(study) else []


def code_folders(studies: Mapping[str, Study]) -> list[str]:
    """Where the official code of EDM lies, for the studies whose networks need it."""
    return [study.denoiser.code for study in studies.values() if isinstance(study.denoiser, PickledDenoiser)]


def extractor_files(name: str, study: Study) -> list[str]:
    """What features are extracted with: the study's classifier, or Inception's weights if the study names them."""
    if isinstance(study.teleport.extractor, InceptionExtractor):
        weights = study.teleport.extractor.weights
        return [weights] if weights else []
    return [f"results/{name}/classifier.safetensors"]


def headline_first(stage: TrajectoriesConfig | TeleportConfig) -> list[SamplerChoice]:
    """The samplers of a stage, the headline sampler first: DDIM where it is there."""
    return sorted(stage.samplers, key=lambda choice: choice.name != "ddim")


def shards(pattern: str, stage: Seeded, seeds: range | None = None) -> list[str]:
    """The shards of a stage, with `{first}` and `{stop}` filled in; only those with any of `seeds`, if given."""
    return [
        pattern.format(first=first, stop=stop)
        for first, stop in stage.shards
        if seeds is None or (first < seeds.stop and stop > seeds.start)
    ]


def trajectories(name: str, study: Study, sampler: str, seeds: range | None = None) -> list[str]:
    """The shards of a sampler's trajectories."""
    pattern = f"results/{name}/trajectories/{sampler}/seeds_{{first}}-{{stop}}.zarr.zip"
    return shards(pattern, study.trajectories, seeds)


def all_trajectories(name: str, study: Study) -> list[str]:
    """Every shard of every sampler."""
    return [file for choice in study.trajectories.samplers for file in trajectories(name, study, choice.id)]


def main_sampler(stage: TrajectoriesConfig | TeleportConfig) -> str:
    """Id of the sampler whose numbers stand first."""
    return headline_first(stage)[0].id


def comparisons(name: str, study: Study) -> list[str]:
    """The Gaussian's errors for every sampler, the headline sampler's first."""
    samplers = headline_first(study.trajectories)
    return [f"results/{name}/comparison/{choice.id}/gaussian.zarr.zip" for choice in samplers]


def models_compared(name: str, study: Study) -> list[str]:
    """The errors of every theory for the headline sampler, in the order of `comparison.models`."""
    folder = f"results/{name}/comparison/{main_sampler(study.trajectories)}"
    return [f"{folder}/{model}.zarr.zip" for model in study.comparison.models]


def theory_inputs(name: str, _: Study, model: str) -> dict[str, str]:
    """What a theory is read from, beside the eigenbasis."""
    kinds = {"gaussian": (), "mixture": ("mixture",), "point_cloud": ("dataset",)}
    return {kind: f"results/{name}/{kind}.zarr.zip" for kind in kinds[model]}


def comparison_settings(_: str, study: Study, model: str) -> dict[str, object]:
    """How a theory is carried along; the Gaussian's closed form needs no solver."""
    settings = study.comparison.model_dump(include={"batch_size"})
    return settings if model == "gaussian" else {**settings, "solver": study.comparison.solver}


def mixture_compared(name: str, study: Study) -> list[str]:
    """The mixture, where it is among the theories compared."""
    return [f"results/{name}/mixture.zarr.zip"] if study.compares("mixture") else []


def cluster_labels(name: str, study: Study) -> list[str]:
    """The mixture, where its clusters are what the classifier learns."""
    extractor = study.teleport.extractor
    learned = isinstance(extractor, ClassifierExtractor) and extractor.labels == "mixture"
    return [f"results/{name}/mixture.zarr.zip"] if learned else []


def score_settings(study: Study) -> dict[str, int]:
    """How distances between features are measured."""
    return study.teleport.model_dump(include={"kid_subset_size", "kid_subsets", "neighbourhood", "neighbours_among"})


def fidelity_settings(study: Study) -> dict[str, object]:
    """How distances between features are measured, and their intervals."""
    return {"scores": score_settings(study), "resamples": study.teleport.resamples}


def jump_inputs(name: str, study: Study, jump: str) -> dict[str, str | list[str]]:
    """What a jump is made from."""
    kind = jump_kind(study, jump)
    if kind == "mixture":
        return {"mixture": f"results/{name}/mixture.zarr.zip"}
    if kind == "samples":
        return {"samples": shards(sweep_samples(0, name, main_sampler(study.teleport)), study.teleport)}
    return {"eigenbasis": f"results/{name}/eigenbasis.zarr.zip"}


def jump_kind(study: Study, jump: str) -> str:
    """The kind of a jump, by its id."""
    return budget_of(study).jump(jump).name


def budget_of(study: Study) -> BudgetConfig:
    """The budgets of a study that has them."""
    if study.budget is None:
        raise ValueError("this study has no section `budget`")
    return study.budget


def landed(name: str, _: Study, jump: str, first: str, stop: str) -> list[str]:
    """The states after a jump, of one shard."""
    return [] if jump == NO_JUMP else [f"results/{name}/jumps/{jump}/seeds_{first}-{stop}.zarr.zip"]


def _budget_shards(name: str, study: Study, solver: str, steps: int, jump: str) -> list[str]:
    folder = f"results/{name}/budget/{solver}-{steps}/{jump}"
    return shards(folder + "/seeds_{first}-{stop}.zarr.zip", budget_of(study))


def budget_features(name: str, study: Study, solver: str) -> list[str]:
    """The features of every run of a sampler, run after run, shard after shard."""
    runs = [(steps, jump) for sampler, steps, jump in budget_of(study).runs() if sampler == solver]
    return [file for steps, jump in runs for file in _budget_shards(name, study, solver, steps, jump)]


def budget_settings(_: str, study: Study, solver: str) -> dict[str, object]:
    """Which runs a sampler has, and how they are measured."""
    budget = budget_of(study)
    runs = [[steps, jump] for sampler, steps, jump in budget.runs() if sampler == solver]
    plain = budget.reference_steps(next(sampler for sampler in budget.samplers if sampler == solver))
    return {"runs": runs, "reference": plain, **fidelity_settings(study)}


def budget_rows(name: str, study: Study) -> list[str]:
    """The fidelity of every sampler at few network calls."""
    return [f"results/{name}/budget/{sampler}.json" for sampler in study.budget.samplers] if study.budget else []


def has_budget(study: Study) -> bool:
    """Is image quality measured at few network calls?"""
    return study.budget is not None


def budget_names(study: Study) -> dict[str, dict[str, str]]:
    """Labels of samplers and jumps, in the order of the study; no jump is the first of the jumps."""
    budget = budget_of(study)
    return {
        "solvers": {name: SAMPLERS[name].label for name in budget.samplers},
        "jumps": {NO_JUMP: "no jump", **{jump.id: jump.label for jump in budget.jumps}},
    }


def budget_sampler(study: Study) -> SamplerName:
    """The sampler whose images at few network calls are shown: DDIM where it is there, else the first."""
    listed = budget_of(study).samplers
    return "ddim" if "ddim" in listed else listed[0]


def budget_shown(study: Study) -> list[list[int | str]]:
    """[steps, jump] of the runs whose images are shown: without a jump, Gaussian and mixture, and the plain run last."""
    budget, sampler = budget_of(study), budget_sampler(study)
    listed = [jump.id for jump in budget.jumps]
    jumps = [NO_JUMP, *([name for name in listed if name in ("gaussian", "mixture")] or listed)]
    plain = budget.reference_steps(sampler)
    runs = [(steps, jump) for steps in budget.within(sampler, SHOWN_BUDGETS) for jump in jumps]
    return [list(run) for run in dict.fromkeys([*runs, *([(plain, NO_JUMP)] if plain else [])])]


def budget_pictures(name: str, study: Study) -> list[str]:
    """The first shard of every run whose images are shown; a shard holds images of its first seeds only."""
    sampler = budget_sampler(study)
    return [_budget_shards(name, study, sampler, int(steps), str(jump))[0] for steps, jump in budget_shown(study)]


def of_main(kind: str, name: str, study: Study, ending: str = "zarr.zip") -> str:
    """The artifact of a kind (`emergence`, `perturbation`, `retrieval`, `young`) of the headline sampler."""
    stage = study.teleport if kind == "young" else study.trajectories
    return f"results/{name}/{kind}/{main_sampler(stage)}.{ending}"


def claims_inputs(name: str, study: Study) -> dict[str, str | list[str]]:
    """What the table of claims is drawn from."""
    kinds = ("emergence", "perturbation", "retrieval", "geometry")
    return {
        **{kind: of_main(kind, name, study) for kind in kinds},
        "models": models_compared(name, study),
        "score": f"results/{name}/score.zarr.zip",
        "teleport": f"results/{name}/teleport.csv",
    }


def has_young(study: Study) -> bool:
    """Are there networks from early in the training?"""
    return isinstance(study.denoiser, TrainedDenoiser) and bool(study.denoiser.training.snapshots)


def of_samplers(kind: str, name: str, study: Study) -> list[str]:
    """One artifact of a kind (`geometry`) per sampler, the headline sampler's first."""
    return [f"results/{name}/{kind}/{choice.id}.zarr.zip" for choice in headline_first(study.trajectories)]


def sweep_folder(name: str, sampler: str, skip: int | str) -> str:
    """The folder of one sampler and skip of the sweep."""
    return f"results/{name}/teleport/{sampler}/skip_{skip}"


def sweep_samples(skip: int | str, name: str = "{study}", sampler: str = "{sampler}") -> str:
    """The sample shards of one skip, with `{first}` and `{stop}` to be filled in, and what else is not given."""
    return sweep_folder(name, sampler, skip) + "/samples/seeds_{first}-{stop}.zarr.zip"


def features(name: str, study: Study, sampler: str, skip: int | str) -> list[str]:
    """The feature shards of one sampler and skip."""
    return shards(sweep_folder(name, sampler, skip) + "/features/seeds_{first}-{stop}.zarr.zip", study.teleport)


def mixture_jumped(name: str, study: Study) -> list[str]:
    """The mixture, where a jump follows its flow."""
    return [f"results/{name}/mixture.zarr.zip"] if "mixture" in jumps_planned(study) else []


def jumps_planned(study: Study) -> dict[str, int | None]:
    """The jumps whose model is known beforehand, with their rank if it is limited; the Gaussian is always among them."""
    chosen = study.budget.jumps if study.budget else ()
    known = {jump.id: getattr(jump, "rank", None) for jump in chosen if jump.name != "samples"}
    return {"gaussian": None, **known}


def plan_settings(study: Study) -> dict[str, object]:
    """What the planner allows, and how often it called the network over all its images."""
    plan = study.planner
    return {"wanted": plan.wanted, "calls": plan.images * plan.levels}


def plain_features(name: str, study: Study, sampler: str, skip: str) -> list[str]:
    """The feature shards of a sampler without a jump, where a skip is compared with them."""
    return features(name, study, sampler, 0) if int(skip) and 0 in study.teleport.skips else []


def sweep_rows(name: str, study: Study) -> list[str]:
    """The fidelity of every sampler and skip."""
    sweep = study.teleport
    return [sweep_folder(name, choice.id, skip) + "/fidelity.json" for choice in sweep.samplers for skip in sweep.skips]


def shown_seed(study: Study) -> int:
    """The seed of the trajectory that figures show."""
    given = study.figures.seed
    return study.trajectories.first_seed if given is None else given


def shown_trajectory(name: str, study: Study) -> list[str]:
    """The headline sampler's shard with the trajectory that figures show."""
    seed = shown_seed(study)
    return trajectories(name, study, headline_first(study.trajectories)[0].id, range(seed, seed + 1))


def gallery_trajectories(name: str, study: Study) -> list[str]:
    """The headline sampler's shards with the first seeds."""
    first = study.trajectories.first_seed
    seeds = range(first, first + study.figures.gallery)
    return trajectories(name, study, headline_first(study.trajectories)[0].id, seeds)


def gallery_samples(name: str, study: Study) -> list[str]:
    """The shards with the first images of the sweep's headline sampler, skip after skip."""
    sweep = study.teleport
    seeds = range(sweep.first_seed, sweep.first_seed + study.figures.gallery)
    sampler = headline_first(sweep)[0].id
    patterns = (sweep_samples(skip, name, sampler) for skip in sweep.skips)
    return [file for pattern in patterns for file in shards(pattern, sweep, seeds)]


def labels(study: Study) -> dict[str, str]:
    """Names in figures, of the headline sampler (`network`) and of the theories compared with it."""
    theories: dict[str, str] = {model: THEORY_LABELS[model] for model in study.comparison.models}
    return {"network": headline_first(study.trajectories)[0].label, **theories}


def example_seed(study: Study) -> int:
    """The shown seed, if the theories' endpoint estimates are kept for it (the first 8 seeds); else the first seed."""
    first, seed = study.trajectories.first_seed, shown_seed(study)
    return seed if seed < first + min(8, study.figures.gallery) else first


def shown_pair(study: Study) -> list[int]:
    """The shown seed and the next one, if there is one."""
    stage, seed = study.trajectories, shown_seed(study)
    return [entry for entry in (seed, seed + 1) if entry < stage.first_seed + stage.seeds]


def pair_trajectories(name: str, study: Study) -> list[str]:
    """The headline sampler's shards with the trajectories of the shown pair."""
    pair = shown_pair(study)
    return trajectories(name, study, main_sampler(study.trajectories), range(pair[0], pair[-1] + 1))


def theory(name: str, _: Study) -> list[str]:
    """Moments and eigenbasis."""
    return [f"results/{name}/moments.zarr.zip", f"results/{name}/eigenbasis.zarr.zip"]


def tables(name: str, study: Study) -> list[str]:
    """Tables and metrics."""
    shown = (*TABLE_PAGES, "budget") if has_budget(study) else TABLE_PAGES
    pages = [f"tables/{page}.html" for page in shown]
    return [f"results/{name}/{file}" for file in (*TABLES, *pages)] + residual_tables(name, study)


def report(name: str, _: Study) -> list[str]:
    """The report."""
    return [f"results/{name}/report.html"]


def figures(name: str, study: Study) -> list[str]:
    """Every figure, as PNG and PDF."""
    trained = ("fig_training",) if study.denoiser.source == "train" else ()
    young = ("fig_young",) if has_young(study) else ()
    budgets = OF_BUDGETS if has_budget(study) else ()
    return _drawn(name, *FIGURES, *trained, *young, *budgets) + residual_figures(name, study)


def residual_figures(name: str, study: Study) -> list[str]:
    """The figure of the trainings compared, where there are any."""
    return _drawn(name, "fig_residual") if has_residual(study) else []


def _drawn(name: str, *figures: str) -> list[str]:
    return [f"results/{name}/figures/{figure}.{kind}" for figure in figures for kind in ("png", "pdf")]
