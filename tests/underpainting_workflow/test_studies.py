"""Study files: every slip is told with file, key and remedy; shards cover the seeds and stay when seeds are added."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
import yaml
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st

from underpainting.io.errors import InputError, Problem
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.walk import Sampler
from underpainting.training.trainer import make_unet
from underpainting_workflow.studies import (
    SamplerChoice,
    Study,
    data_folder,
    files,
    find_studies,
    load_any,
    load_study,
)
from underpainting_workflow.studies.counts import check_number
from underpainting_workflow.studies.reference import json_schema
from underpainting_workflow.studies.sampling import Seeded, SolutionConfig

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "config" / "studies").glob("*.yaml"))
COMMIT = "0123456789abcdef0123456789abcdef01234567"

VALID: dict[str, Any] = {
    "title": "Digits",
    "dataset": {"source": "sklearn", "image_size": 8, "channels": 1},
    "denoiser": {"source": "train", "architecture": {"block_out_channels": [16, 32, 64]}, "training": {"steps": 10}},
    "trajectories": {"samplers": [{"name": "ddim", "steps": 50}], "seeds": 8},
    "teleport": {
        "samplers": [{"name": "ddim", "steps": 50}, {"name": "heun", "steps": 25}],
        "skipped_steps": [0, 10],
        "seeds": 2000,
        "extractor": {"name": "classifier"},
    },
    "perturbation": {"seeds": 8},
}
HUB = {"source": "hub", "repository": "google/ddpm-cifar10-32", "revision": COMMIT}


def changed(key: str, value: Any) -> dict[str, Any]:
    """The valid study with one key, dotted, set to a value."""
    study = copy.deepcopy(VALID)
    *above, last = key.split(".")
    place = study
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    return study


def without(key: str) -> dict[str, Any]:
    study = copy.deepcopy(VALID)
    *above, last = key.split(".")
    place = study
    for name in above:
        place = place[name]
    del place[last]
    return study


def written(content: Any, folder: Path) -> Path:
    path = folder / "mine.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def problems_in(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        load_study(path)
    return caught.value.problems


def problem_in(path: Path) -> Problem:
    return problems_in(path)[0]


# --- what is right loads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_studies_load(path: Path) -> None:
    assert load_any(path).title


def test_the_promised_studies_are_shipped() -> None:
    promised = {"digits", "mnist", "cifar10", "faces", "ddpm_mnist", "ddpm_cifar10", "ddpm_church", "ddpm_celebahq"}
    assert promised <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_study_names_no_place_of_one_machine(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    places = [content.get("dataset", {}).get(key) for key in ("path", "root")] + [content["denoiser"].get("path")]
    assert all(place.startswith("{data}") for place in places if place)
    if content["denoiser"]["source"] == "reference":
        network = Path(content["denoiser"]["folder"])
        owner = yaml.safe_load((path.parent / f"{network.name}.yaml").read_text())["denoiser"]
        assert network.parent == Path("config/networks") and content["denoiser"] == owner


@pytest.mark.parametrize("name", ["ddpm_church", "ddpm_celebahq"])
def test_large_images_never_meet_a_pixel_by_pixel_matrix(name: str) -> None:
    study = load_study(ROOT / "config" / "studies" / f"{name}.yaml")
    assert study.eigenbasis.method == "randomized"
    assert not study.moments.per_class
    assert not study.reads & {"mixture", "dataset"}


def test_the_study_that_the_slips_below_start_from_is_right(tmp_path: Path) -> None:
    study = load_study(written(VALID, tmp_path))
    assert (study.title, study.dataset.image_size, study.teleport.skipped_steps) == ("Digits", 8, (0, 10))


def test_a_pinned_hub_model_loads(tmp_path: Path) -> None:
    assert load_study(written(changed("denoiser", HUB), tmp_path)).denoiser.source == "hub"


def test_studies_do_not_change_once_loaded() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Study.model_validate(VALID).title = "Other"


def test_skipped_steps_are_sorted() -> None:
    assert Study.model_validate(changed("teleport.skipped_steps", [10, 0, 5])).teleport.skipped_steps == (0, 5, 10)


def test_how_networks_are_run_is_one_choice() -> None:
    study = Study.model_validate({**VALID, "precision": "bfloat16", "compile": True, "device": "cpu"})
    assert study.compute() == {"precision": "bfloat16", "compile": True}, "the device does not change what is computed"
    assert Study.model_validate(VALID).compute() == {"precision": "float32", "compile": False}


def test_the_json_schema_accepts_what_loads_and_refuses_unknown_keys() -> None:
    schema = json.loads(json_schema())
    jsonschema.validate(VALID, schema)
    jsonschema.validate(changed("teleport.skipped_steps", [0, 10, 20]), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed("teleport.skipped", [0]), schema)


# --- slips -----------------------------------------------------------------------------------------------------------

# id: (study, key named, text of the problem, text of the remedy)
SLIPS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "skips of the sweep": (
        changed("teleport.skips", [0]),
        "teleport.skips",
        "unknown key",
        "it is named 'skipped_steps' now",
    ),
    "skips of a jump": (
        changed("low_nfe", {"samplers": ["ddim"], "jumps": [{"name": "gaussian", "skips": [50]}]}),
        "low_nfe.jumps[0].skips",
        "unknown key",
        "it is named 'skipped_percent' now",
    ),
    "key of another name now": (changed("budget", {}), "budget", "unknown key", "it is named 'low_nfe' now"),
    "key of another name now, in a section": (
        changed("planner", {"wanted": 1.0}),
        "planner.wanted",
        "unknown key",
        "it is named 'max_loss' now",
    ),
    "unknown key": (
        changed("teleport.skipped", [0]),
        "teleport.skipped",
        "unknown key",
        "did you mean 'skipped_steps'?",
    ),
    "a list of numbers within the list": (
        changed("teleport.skipped_steps", [0, [5]]),
        "teleport.skipped_steps[1]",
        "[5] is not allowed",
        "valid integer",
    ),
    "skipped steps that are no number": (
        changed("teleport.skipped_steps", [0, "x"]),
        "teleport.skipped_steps[1]",
        "'x' is not allowed",
        "integer",
    ),
    "precision": (changed("precision", "float16"), "precision", "'float16' is not allowed", "bfloat16"),
    "unknown key at the top": (changed("tilte", "x"), "tilte", "unknown key", "did you mean 'title'?"),
    "unknown key in a union": (
        changed("denoiser.training.step", 1),
        "denoiser.training.step",
        "unknown key",
        "did you mean 'steps'?",
    ),
    "unknown key in the data set": (changed("dataset.chanels", 1), "dataset.chanels", "unknown key", "'channels'?"),
    "unknown key like no other": (
        changed("figures.zzz", 1),
        "figures.zzz",
        "unknown key",
        "allowed here: dpi, gallery",
    ),
    "wrong type": (changed("teleport.seeds", "many"), "teleport.seeds", "'many' is not allowed", "valid integer"),
    "list for a number": (changed("trajectories.seeds", [1]), "trajectories.seeds", "[1] is not allowed", "integer"),
    "number for a mapping": (changed("moments", 3), "moments", "3 is not allowed", "a mapping"),
    "not finite": (
        changed("denoiser.training.learning_rate", float("inf")),
        "denoiser.training.learning_rate",
        "inf is not allowed",
        "finite number",
    ),
    "no seeds": (changed("teleport.seeds", 0), "teleport.seeds", "0 is not allowed", "greater than or equal to 2"),
    "missing key of a jump": (
        changed("low_nfe", {"samplers": ["ddim"], "jumps": [{"name": "lowrank", "skipped_percent": [50]}]}),
        "low_nfe.jumps[0].rank",
        "this key is missing",
        "add it",
    ),
    "key named like a kind": (
        changed("denoiser", {"source": "path", "path": "x", "pth": 1}),
        "denoiser.pth",
        "unknown key",
        "did you mean 'path'?",
    ),
    "negative skipped steps": (
        changed("teleport.skipped_steps", [0, -5]),
        "teleport.skipped_steps",
        "[-5]",
        "0 or more",
    ),
    "too many skipped steps": (
        changed("teleport.skipped_steps", [0, 30]),
        "teleport.skipped_steps",
        "[30] leave no step of heun-25",
        "below 25",
    ),
    "every step skipped": (
        changed("teleport.skipped_steps", [25]),
        "teleport.skipped_steps",
        "[25] leave no step",
        "below 25",
    ),
    "skipped steps listed twice": (
        changed("teleport.skipped_steps", [5, 5]),
        "teleport.skipped_steps",
        "twice",
        "list each number of skipped steps once",
    ),
    "no skipped steps": (
        changed("teleport.skipped_steps", []),
        "teleport.skipped_steps",
        "[] is not allowed",
        "at least 1 item",
    ),
    "unknown sampler": (
        changed("trajectories.samplers", [{"name": "plms", "steps": 5}]),
        "trajectories.samplers[0].name",
        "'plms' is not allowed",
        "'ddim', 'euler', 'heun', 'dpmsolverpp', 'unipc', 'pndm'",
    ),
    "stochastic trajectories": (
        changed("trajectories.samplers", [{"name": "ddpm", "steps": 5}]),
        "trajectories.samplers",
        "ddpm-5 adds noise on its way",
        "deterministic samplers",
    ),
    "planner upside down": (
        changed("planner", {"noisiest": 1.0, "least": 2.0}),
        "planner.least",
        "not below",
        "lower it",
    ),
    "duplicate samplers": (
        changed("trajectories.samplers", [{"name": "ddim", "steps": 5}] * 2),
        "trajectories.samplers",
        "ddim-5 is listed twice",
        "list each sampler once",
    ),
    "more steps than times": (
        changed("denoiser.schedule", {"num_train_timesteps": 40}),
        "trajectories.samplers",
        "ddim-50 takes more steps than the 40 times",
        "lower its steps",
    ),
    "clipping by a sampler that cannot": (
        changed("trajectories.samplers", [{"name": "dpmsolverpp", "steps": 5, "clip_sample": True}]),
        "trajectories.samplers[0].clip_sample",
        "DPM-Solver++ cannot clip",
        "take one of ddim, heun, edmheun, ddpm, edmchurn",
    ),
    "coloured start in the sweep over skipped steps": (
        changed(
            "teleport.samplers", [{"name": "ddim", "steps": 50}, {"name": "heun", "steps": 50, "coloured_start": True}]
        ),
        "teleport.samplers",
        "heun-50-coloured would be compared with the network's images from white noise",
        "remove coloured_start here, and set it in trajectories.samplers",
    ),
    "spacing that DDIM does not follow": (
        changed("trajectories.samplers", [{"name": "ddim", "steps": 30, "timestep_spacing": "trailing"}]),
        "trajectories.samplers",
        "moves by 33 times at each step",
        "leading, or trailing with steps that divide 1000",
    ),
    "DPM-Solver++ as fine as the schedule": (
        changed("trajectories.samplers", [{"name": "dpmsolverpp", "steps": 1000}]),
        "trajectories.samplers",
        "visit a time twice",
        "lower its steps",
    ),
    "image size the network cannot take": (
        changed("dataset.image_size", 30),
        "dataset.image_size",
        "30 pixels do not fit a network of 3 levels",
        "a multiple of 4",
    ),
    "groups that do not divide": (
        changed("denoiser.architecture", {"block_out_channels": [12, 32], "norm_num_groups": 8}),
        "denoiser.architecture.norm_num_groups",
        "8 does not divide the width 12",
        "multiples",
    ),
    "hub model without revision": (
        changed("denoiser", {key: HUB[key] for key in ("source", "repository")}),
        "denoiser.revision",
        "this key is missing",
        "add it",
    ),
    "branch instead of commit": (
        changed("denoiser", {**HUB, "revision": "main"}),
        "denoiser.revision",
        "'main' is no full commit",
        "40 hexadecimal digits",
    ),
    "short commit": (
        changed("denoiser", {**HUB, "revision": COMMIT[:7]}),
        "denoiser.revision",
        "is no full commit",
        "40 hexadecimal digits",
    ),
    "data set at a branch": (
        changed(
            "dataset",
            {"source": "huggingface", "repository": "a/b", "revision": "main", "image_size": 8, "channels": 1},
        ),
        "dataset.revision",
        "'main' is no full commit",
        "40 hexadecimal digits",
    ),
    "missing key": (without("teleport.extractor"), "teleport.extractor", "this key is missing", "add it"),
    "missing section": (without("denoiser"), "denoiser", "this key is missing", "add it"),
    "missing source": (without("dataset.source"), "dataset.source", "this key is missing", "add it"),
    "unknown source": (changed("dataset.source", "imagenet"), "dataset.source", "'imagenet' is unknown", "'sklearn'"),
    "unknown denoiser": (
        changed("denoiser.source", "magic"),
        "denoiser.source",
        "'magic' is unknown",
        "'train', 'reference', 'hub'",
    ),
    "unknown extractor": (
        changed("teleport.extractor", {"name": "clip"}),
        "teleport.extractor.name",
        "'clip' is unknown",
        "'classifier'",
    ),
    "randomized without rank": (
        changed("eigenbasis", {"method": "randomized"}),
        "eigenbasis",
        "the randomized method needs a rank",
        "add eigenbasis.rank",
    ),
    "subset larger than the seeds": (
        changed("teleport.kid_subset_size", 3000),
        "teleport.kid_subset_size",
        "3000 exceeds the 2000 seeds",
        "lower it",
    ),
    "figure of a seed that is not sampled": (
        changed("figures", {"seed": 8}),
        "figures.seed",
        "8 is not among the trajectories' seeds",
        "from 0 to 7",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_file_key_and_remedy(tmp_path: Path, slip: str) -> None:
    content, key, problem, remedy = SLIPS[slip]
    path = written(content, tmp_path)
    (found,) = problems_in(path)
    assert (found.file, found.key) == (str(path), key)
    assert problem in found.problem
    assert remedy in found.remedy
    assert str(found) == f"{path}: {key}: {found.problem}. Remedy: {found.remedy}."


def test_several_slips_are_told_at_once(tmp_path: Path) -> None:
    content = changed("teleport.skipped", [0])
    content["dataset"]["source"] = "imagenet"
    del content["title"]
    found = problems_in(written(content, tmp_path))
    assert {problem.key for problem in found} == {"dataset.source", "teleport.skipped", "title"}
    assert str(InputError(*found)).splitlines() == [str(problem) for problem in found]


# id: (make the file, text of the problem, text of the remedy)
FILES: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "missing file": (lambda folder: folder / "none.yaml", "no such file", "write it, or correct `studies`"),
    "a folder": (lambda folder: folder, "no such file", "write it, or correct `studies`"),
    "not YAML": (lambda folder: written("a: b\nc: [1, 2\n", folder), "not valid YAML in line 3", "colons"),
    "tab": (lambda folder: written("title: x\n\tdataset: y\n", folder), "not valid YAML in line 2", "indentation"),
    "not a mapping": (lambda folder: written("- a\n- b\n", folder), "not a mapping", "start from config/studies"),
    "text": (lambda folder: written("digits", folder), "not a mapping", "start from config/studies"),
    "empty": (lambda folder: written("", folder), "not a mapping", "start from config/studies"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_study_is_told(tmp_path: Path, name: str) -> None:
    make, problem, remedy = FILES[name]
    path = make(tmp_path)
    found = problem_in(path)
    assert (found.file, found.key) == (str(path), "")
    assert problem in found.problem and remedy in found.remedy


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("title: Gemälde\n".encode("latin-1"))
    error = problem_in(path)
    assert "UTF-8" in error.problem and "UTF-8" in error.remedy


# --- defaults follow what is written ---------------------------------------------------------------------------------

SMALLEST: dict[str, Any] = {
    "title": "Small",
    "dataset": {"source": "sklearn", "image_size": 8, "channels": 1, "limit": 140},
    "denoiser": {"source": "train", "training": {"steps": 1}},
    "trajectories": {"samplers": [{"name": "ddim", "steps": 5}], "seeds": 8},
    "teleport": {
        "samplers": [{"name": "ddim", "steps": 5}],
        "skipped_steps": [0],
        "seeds": 65,
        "extractor": {"name": "classifier"},
    },
}
V = {"denoiser": {"source": "train", "training": {"steps": 1, "prediction_type": "v_prediction"}}}
SMALL: dict[str, dict[str, Any]] = {
    "only what is required": {},
    "two trajectories": {"trajectories": {"samplers": [{"name": "ddim", "steps": 5}], "seeds": 2}},
    "low_nfe": {
        "low_nfe": {"samplers": ["ddim"], "jumps": [{"name": "gaussian", "skipped_percent": [50]}], "seeds": 65}
    },
    "residual": {"residual": {"training_steps": [1]}, **V},
    "few components": {"eigenbasis": {"rank": 3}},
    "randomized": {"eigenbasis": {"method": "randomized", "rank": 3}},
    "gram": {"eigenbasis": {"method": "gram"}},
    "odd size": {"dataset": {"source": "sklearn", "image_size": 7, "channels": 1, "resize": "crop", "limit": 140}},
    "widths": {
        "denoiser": {"source": "train", "architecture": {"block_out_channels": [12, 20]}, "training": {"steps": 1}}
    },
    "one width": {
        "denoiser": {"source": "train", "architecture": {"block_out_channels": [3]}, "training": {"steps": 1}}
    },
    "early networks": {"denoiser": {"source": "train", "training": {"steps": 2, "snapshots": [1]}}},
    "sections without a key": {
        key: {} for key in ("perturbation", "emergence", "score", "early_checkpoints", "planner", "mixture", "figures")
    },
}


@pytest.mark.parametrize("case", SMALL)
def test_a_small_study_is_not_refused_for_a_default(tmp_path: Path, case: str) -> None:
    study = load_study(written({**SMALLEST, **SMALL[case]}, tmp_path))
    check_number(study, 140, 10)
    assert study.perturbation.seeds == study.trajectories.seeds
    assert study.teleport.kid_subset_size == 65
    assert Study.model_validate(study.model_dump(by_alias=True)) == study


@pytest.mark.parametrize("size", [7, 8, 9])
def test_the_usual_network_takes_images_of_any_size(size: int) -> None:
    dataset = {"source": "sklearn", "image_size": size, "channels": 1, "resize": "crop", "limit": 140}
    study = Study.model_validate({**SMALLEST, "dataset": dataset})
    network = make_unet((1, size, size), **study.denoiser.model_dump()["architecture"])
    images = torch.zeros(2, 1, size, size)
    assert network(images, torch.tensor([1, 2])).sample.shape == images.shape


# id: (changes of the smallest study, key that is blamed, text of the problem)
WRITTEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "perturbation": ({"perturbation": {"seeds": 9}}, "perturbation.seeds", "9 exceed the 8 trajectories"),
    "components": (
        {"eigenbasis": {"rank": 3}, "perturbation": {"components": [4]}},
        "perturbation.components",
        "there is no component 4 of 3",
    ),
    "mixture": (
        {"eigenbasis": {"method": "gram"}, "comparison": {"models": ["gaussian", "mixture"]}},
        "comparison.models",
        "which eigenbasis.method: gram avoids",
    ),
    "covariance": (
        {"eigenbasis": {"method": "gram"}, "mixture": {"covariance": "full"}},
        "mixture.covariance",
        "which eigenbasis.method: gram avoids",
    ),
    "noisiest": ({"planner": {"noisiest": 0.05}}, "planner.noisiest", "not above the last level"),
    "sigma": (
        {
            "denoiser": {
                "source": "train",
                "edm": {"sigma_max": 0.001},
                "training": {"steps": 1, "prediction_type": "edm"},
            }
        },
        "denoiser.edm.sigma_max",
        "0.001 is not above 0.002",
    ),
    "more null seeds than seeds": (
        {"teleport": {**SMALLEST["teleport"], "null_seeds": 66}},
        "teleport.null_seeds",
        "66 exceed the 65 seeds of the sweep",
    ),
    "more solutions than seeds": (
        {"teleport": {**SMALLEST["teleport"], "solution": {"seeds": 66}}},
        "teleport.solution.seeds",
        "66 exceed the 65 seeds of the sweep",
    ),
    "fewer null seeds than features": (
        {"teleport": {**SMALLEST["teleport"], "null_seeds": 64}},
        "teleport.null_seeds",
        "64 images are too few for a Frechet distance of 64 features",
    ),
    "more codes than null seeds": (
        {"teleport": {**SMALLEST["teleport"], "autoencoder": {"features": 65}}},
        "teleport.autoencoder.features",
        "65 features are too many for a Frechet distance of 65 images",
    ),
    "neighbours of the null model": (
        {"teleport": {**SMALLEST["teleport"], "seeds": 200, "null_seeds": 70, "neighbourhood": 70}},
        "teleport.neighbourhood",
        "70 neighbours are not among 70 seeds of the null model",
    ),
    "one solution": (
        {"teleport": {**SMALLEST["teleport"], "solution": {"seeds": 1}}},
        "teleport.solution.seeds",
        "",
    ),
    "neighbours": (
        {"teleport": {**SMALLEST["teleport"], "neighbourhood": 65}},
        "teleport.neighbourhood",
        "65 neighbours are not among 65 seeds",
    ),
}


@pytest.mark.parametrize(
    ("seeds", "features", "null", "solved", "codes"),
    [(65, 64, 65, 64, 32), (2000, 64, 500, 64, 32), (9000, 2000, 4000, 64, 32), (40, 8, 40, 40, 8)],
)
def test_the_null_model_the_solutions_and_the_autoencoder_follow_the_seeds(
    seeds: int, features: int, null: int, solved: int, codes: int
) -> None:
    extractor = {"name": "classifier", "features": features}
    teleport = Study.model_validate(
        {**SMALLEST, "teleport": {**SMALLEST["teleport"], "seeds": seeds, "extractor": extractor}}
    ).teleport
    assert (teleport.null_seeds, teleport.solution.seeds, teleport.autoencoder.features) == (null, solved, codes)
    assert teleport.null.seed_range == range(null)


@pytest.mark.parametrize(("steps", "skipped", "left"), [(200, 0.0, 200), (200, 0.3, 140), (7, 0.5, 4), (50, 0.99, 2)])
def test_steps_after_a_jump_are_the_part_that_it_leaves_rounded_up_and_two_at_least(
    steps: int, skipped: float, left: int
) -> None:
    assert SolutionConfig(steps=steps).steps_after(skipped) == left


def test_a_jump_over_so_many_per_cent_leaves_exactly_the_rest() -> None:
    solution = SolutionConfig(steps=200)
    assert [solution.steps_after(percent / 100) for percent in range(99)] == [
        2 * (100 - percent) for percent in range(99)
    ]


@pytest.mark.parametrize("case", WRITTEN)
def test_what_is_written_is_refused_under_its_own_key(tmp_path: Path, case: str) -> None:
    changes, key, problem = WRITTEN[case]
    error = problem_in(written({**SMALLEST, **changes}, tmp_path))
    assert error.key == key and problem in error.problem


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("teleport.seeds", 50, "50 images are too few for a Frechet distance of 64 features"),
        ("teleport.seeds", 64, "64 images are too few"),
        (
            "teleport.extractor",
            {"name": "inception-v3-compat"},
            "2000 images are too few for a Frechet distance of 2048 features",
        ),
        ("teleport.extractor", {"name": "classifier", "features": 2000}, "2000 images are too few"),
        (
            "low_nfe",
            {"samplers": ["ddim"], "jumps": [{"name": "gaussian", "skipped_percent": [50]}], "seeds": 60},
            "60 images",
        ),
        ("early_checkpoints", {"seeds": 30}, "30 images are too few"),
        ("residual", {"training_steps": [1], "images": 30}, "30 images are too few"),
    ],
)
def test_a_frechet_distance_needs_more_images_than_features(tmp_path: Path, key: str, value: Any, problem: str) -> None:
    content = changed(key, value)
    content["teleport"]["kid_subset_size"] = 20
    content["denoiser"]["training"] |= {"snapshots": [5], "prediction_type": "v_prediction"}
    error = problem_in(written(content, tmp_path))
    assert problem in error.problem and "use more than" in error.remedy
    assert error.key == (key if key in ("teleport.seeds",) else error.key)
    assert ("features" in error.remedy) == ("2048" not in problem)


@pytest.mark.parametrize(
    ("images", "features", "codes", "key"),
    [(129, 64, 32, "extractor"), (130, 64, 32, None), (67, 8, 33, "autoencoder"), (68, 8, 33, None)],
)
def test_more_images_are_held_out_than_there_are_features(
    tmp_path: Path, images: int, features: int, codes: int, key: str | None
) -> None:
    extractor = {"name": "classifier", "features": features}
    teleport = {**SMALLEST["teleport"], "extractor": extractor, "autoencoder": {"features": codes}}
    study = load_study(written({**SMALLEST, "teleport": teleport}, tmp_path))
    if key is None:
        check_number(study, images, 10)
        return
    with pytest.raises(
        InputError, match=f"{images // 2} images held out of {images} are too few for a Frechet"
    ) as error:
        check_number(study, images, 10)
    assert error.value.problems[0].key == f"teleport.{key}"
    assert f"lower teleport.{key}.features, or use more than" in error.value.problems[0].remedy


def test_inception_is_compared_with_all_images(tmp_path: Path) -> None:
    teleport = {**SMALLEST["teleport"], "seeds": 2100, "extractor": {"name": "inception-v3-compat"}}
    content = {**SMALLEST, "dataset": {**SMALLEST["dataset"], "limit": None}, "teleport": teleport}
    study = load_study(written(content, tmp_path))
    check_number(study, 2049, 10)
    with pytest.raises(InputError, match="2048 images of the data set are too few for a Frechet distance of 2048"):
        check_number(study, 2048, 10)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trajectories.seeds", "8"),
        ("trajectories.seeds", True),
        ("trajectories.seeds", "1:30"),
        ("compile", "yes"),
        ("compile", 1),
        ("title", 5),
        ("title", "  "),
        ("title", "x" * 201),
        ("perturbation.strength", "0.5"),
    ],
)
def test_a_value_is_not_taken_for_one_of_another_type(tmp_path: Path, key: str, value: Any) -> None:
    assert problem_in(written(changed(key, value), tmp_path)).key == key


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("denoiser", {**HUB, "repository": "../../etc"}, "'../../etc' is no repository of the Hub"),
        ("denoiser", {**HUB, "revision": "a | b | c"}, "'a | b | c' is no full commit"),
        ("denoiser", {"source": "path", "path": "x" * 5000}, "(5002 characters) is longer than a path can be"),
        ("denoiser", {"source": "path", "path": " "}, "it is empty"),
    ],
)
def test_a_place_or_repository_that_cannot_be_is_refused(tmp_path: Path, key: str, value: Any, problem: str) -> None:
    error = problem_in(written(changed(key, value), tmp_path))
    assert problem in error.problem and len(str(error)) < 1000


# --- finding studies -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("digits", "mnist"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**VALID, "title": name}), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "chosen", ["mnist,digits", " mnist , digits", ["mnist", "digits"], ["mnist", "digits", "mnist"]]
)
def test_studies_are_found_by_name_in_the_order_chosen(folder: Path, chosen: str | list[str]) -> None:
    found = find_studies(chosen, folder, "config.yaml")
    assert {name: study.title for name, study in found.items()} == {"mnist": "mnist", "digits": "digits"}
    assert list(found) == ["mnist", "digits"]


@pytest.mark.parametrize(
    ("chosen", "problem", "remedy"),
    [
        pytest.param(["faces"], "there is no study file", "choose among: digits, mnist", id="unknown"),
        pytest.param(["../mnist"], "'../mnist' cannot be a study's name", "letters, digits and underscores", id="path"),
        pytest.param(["my study"], "'my study' cannot be a study's name", "letters, digits", id="space"),
        pytest.param(["_hidden"], "'_hidden' cannot be a study's name", "letters, digits", id="underscore first"),
        pytest.param("digits,", "no study is chosen", "list some of: digits, mnist", id="an empty name"),
        pytest.param([], "no study is chosen", "list some of: digits, mnist", id="none"),
        pytest.param(None, "no study is chosen", "list some of: digits, mnist", id="null"),
        pytest.param(2024, "there is no study file", "choose among: digits, mnist", id="a number"),
        pytest.param([True], "True cannot be a study's name", "in quotes", id="a truth value"),
        pytest.param(1e5, "100000.0 cannot be a study's name", "in quotes", id="a number with a point"),
        pytest.param({"a": 1}, "cannot be a study's name", "letters, digits and underscores", id="a mapping"),
    ],
)
def test_a_wrong_choice_of_studies_is_told(folder: Path, chosen: Any, problem: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        find_studies(chosen, folder, "config/config.yaml")
    (error,) = caught.value.problems
    assert (error.file, error.key) == ("config/config.yaml", "studies")
    assert problem in error.problem and remedy in error.remedy


def test_a_slip_in_a_chosen_study_names_its_file(folder: Path) -> None:
    (folder / "mnist.yaml").write_text(yaml.safe_dump(without("title")), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{folder / 'mnist.yaml'}: title: this key is missing")):
        find_studies(["digits", "mnist"], folder, "config.yaml")


# --- the data folder -------------------------------------------------------------------------------------------------


def npz_at(path: str) -> dict[str, Any]:
    return changed("dataset", {"source": "npz", "path": path, "image_size": 8, "channels": 1})


@pytest.mark.parametrize(
    ("path", "folder", "place"),
    [
        ("{data}/a.npz", "elsewhere", "elsewhere/a.npz"),
        ("{data}/a.npz", "/far/away/", "/far/away/a.npz"),
        ("{data}", "/", "/"),
        ("here/a.npz", "elsewhere", "here/a.npz"),
    ],
)
def test_data_at_the_beginning_of_a_place_is_the_data_folder(
    tmp_path: Path, path: str, folder: str, place: str
) -> None:
    assert load_study(written(npz_at(path), tmp_path), data=folder).dataset.place == place


def test_roots_and_networks_may_lie_in_the_data_folder(folder: Path) -> None:
    content = changed("denoiser", {"source": "path", "path": "{data}/network"})
    content["dataset"] = {
        "source": "torchvision",
        "name": "MNIST",
        "root": "{data}",
        "image_size": 32,
        "channels": 1,
    }
    written(content, folder)
    study = find_studies("mine", folder, "config.yaml", data="elsewhere")["mine"]
    assert (study.dataset.place, study.denoiser.place) == ("elsewhere", "elsewhere/network")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("{home}/a.npz", "the placeholder {home} in '{home}/a.npz' is unknown"),
        ("{data}/{name}.npz", "the placeholder {name}"),
        ("{}/a.npz", "the placeholder {}"),
        ("a/{data}/a.npz", "{data} stands inside"),
        ("{data}.npz", "{data} stands inside"),
        ("{data}/../a.npz", "leads out of the data folder"),
        ("{data}/a/../../b/a.npz", "leads out of the data folder"),
    ],
)
def test_another_placeholder_is_told(tmp_path: Path, path: str, problem: str) -> None:
    error = problem_in(written(npz_at(path), tmp_path))
    assert error.key == "dataset.path"
    assert problem in error.problem
    assert "{data}" in error.remedy


def test_the_command_line_names_the_data_folder_before_the_environment_and_the_configuration() -> None:
    config, chosen, environment = {"data": "configured"}, {"data": "chosen"}, {"UNDERPAINTING_DATA": "environment"}
    assert data_folder({**config, **chosen}, chosen, environment) == "chosen"
    assert data_folder(config, {}, environment) == "environment"
    assert data_folder(config, {}, {"UNDERPAINTING_DATA": ""}) == "configured"
    assert data_folder({}, {}, {}) == "data"
    with pytest.raises(InputError, match=r"config/config.yaml: data: \['x'\] is no folder"):
        data_folder({"data": ["x"]}, {}, environment)


def test_settings_tell_which_data_but_not_where_they_lie() -> None:
    here, there = (Study.model_validate(npz_at(path)).dataset for path in ("here.npz", "there.npz"))
    assert here.settings() == there.settings()
    assert "path" not in here.settings()
    other = Study.model_validate(npz_at("here.npz") | {"title": "x"}).dataset.model_copy(update={"limit": 3})
    assert other.settings() != here.settings()


# --- networks that ship ----------------------------------------------------------------------------------------------

REFERENCE = {**VALID["denoiser"], "source": "reference", "folder": "config/networks/digits"}


def test_the_one_word_train_rebuilds_a_network_that_ships(folder: Path) -> None:
    shipped, trained = (
        load_study(written(changed("denoiser", {**REFERENCE, "source": source}), folder)).denoiser
        for source in ("reference", "train")
    )
    assert trained.source == "train"
    plain = load_study(written(VALID, folder)).denoiser
    assert trained.settings() == plain.settings()
    assert shipped.settings() == {"source": "reference"}
    written(changed("denoiser", REFERENCE), folder)
    for yes in (True, "true", "True"):
        assert find_studies("mine", folder, "config.yaml", retrain=yes)["mine"].denoiser == trained
    assert find_studies("mine", folder, "config.yaml", retrain="false")["mine"].denoiser == shipped
    assert find_studies("mine", folder, "config.yaml")["mine"].denoiser.source == "reference"


def test_retraining_leaves_other_networks_alone(folder: Path) -> None:
    written(changed("denoiser", HUB), folder)
    assert find_studies("mine", folder, "config.yaml", retrain=True)["mine"].denoiser.source == "hub"


def test_retrain_is_true_or_false(folder: Path) -> None:
    with pytest.raises(InputError, match=r"config\.yaml: retrain: 'yes' is not allowed"):
        find_studies("digits", folder, "config.yaml", retrain="yes")


# --- samplers --------------------------------------------------------------------------------------------------------


@given(
    name=st.sampled_from([name for name, kind in SAMPLERS.items() if not kind.relative]),
    steps=st.integers(1, 24),
    spacing=st.sampled_from([None, "linspace", "leading", "trailing"]),
)
def test_a_choice_fits_exactly_when_the_sampler_takes_it(name: Any, steps: int, spacing: Any) -> None:
    """The study file's check, which knows no diffusers, against the sampler's own."""
    choice = SamplerChoice(name=name, steps=steps, timestep_spacing=spacing)
    options = {"timestep_spacing": spacing} if spacing else {}
    try:
        Sampler(name, steps, DDIMScheduler(num_train_timesteps=24), **options)
        taken = True
    except ValueError:
        taken = False
    assert taken == (choice.misfit(24) is None)


def test_the_id_of_a_sampler_tells_all_that_distinguishes_it() -> None:
    choices = [("ddim", 50, None, False), ("ddim", 50, "trailing", False), ("ddim", 50, None, True)]
    choices += [("ddim", 50, "trailing", True), ("ddim", 25, None, False), ("euler", 50, None, False)]
    made = [SamplerChoice(name=n, steps=s, timestep_spacing=t, clip_sample=c) for n, s, t, c in choices]  # type: ignore[arg-type]
    ids = ["ddim-50", "ddim-50-trailing", "ddim-50-clipped", "ddim-50-trailing-clipped", "ddim-25", "euler-50"]
    assert [choice.id for choice in made] == ids
    assert made[3].label == "DDIM, 50 steps, trailing, clipped"
    coloured = made[3].model_copy(update={"coloured_start": True})
    assert (coloured.id, coloured.label) == ("ddim-50-trailing-clipped-coloured", f"{made[3].label}, coloured")


def test_a_sampler_without_options_is_described_as_before_there_were_any() -> None:
    """So that jobs and artifacts of such studies stay as they are."""
    assert SamplerChoice(name="ddim", steps=5).model_dump() == {"name": "ddim", "steps": 5, "timestep_spacing": None}
    clipping = SamplerChoice(name="ddim", steps=5, clip_sample=True)
    assert SamplerChoice.model_validate(clipping.model_dump()) == clipping
    coloured = SamplerChoice(name="ddim", steps=5, coloured_start=True)
    assert coloured.model_dump() == {**SamplerChoice(name="ddim", steps=5).model_dump(), "coloured_start": True}


# --- shards ----------------------------------------------------------------------------------------------------------

counts = st.integers(1, 500)


@given(seeds=counts, first=st.integers(0, 1000), size=st.integers(1, 200))
def test_shards_cover_the_seeds_once_and_in_order(seeds: int, first: int, size: int) -> None:
    shards = Seeded(seeds=seeds, first_seed=first, shard_size=size).shards
    assert [seed for start, stop in shards for seed in range(start, stop)] == list(range(first, first + seeds))
    assert all(1 <= stop - start <= size for start, stop in shards)
    assert all(stop - start == size for start, stop in shards[:-1])


@given(full=st.integers(1, 20), more=counts, first=st.integers(0, 1000), size=st.integers(1, 50))
def test_seeds_added_to_full_shards_leave_them_as_they_are(full: int, more: int, first: int, size: int) -> None:
    old = Seeded(seeds=full * size, first_seed=first, shard_size=size).shards
    new = Seeded(seeds=full * size + more, first_seed=first, shard_size=size).shards
    assert new[: len(old)] == old
    assert len(new) > len(old)


@given(seeds=counts, more=counts, size=st.integers(1, 50))
def test_seeds_added_to_a_shard_that_is_not_full_change_that_one_alone(seeds: int, more: int, size: int) -> None:
    old, new = (Seeded(seeds=count, shard_size=size).shards for count in (seeds, seeds + more))
    assert new[: len(old) - 1] == old[:-1]
    assert new[len(old) - 1][0] == old[-1][0]


# --- networks of other kinds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "extra", "message"),
    [
        ("flow", {"schedule": {"beta_end": 0.01}}, r"denoiser\.schedule: prediction_type: flow does not use it"),
        ("epsilon", {"edm": {"sigma_data": 0.4}}, r"denoiser\.edm: prediction_type: epsilon does not use it"),
        ("edm", {"edm": {"sigma_min": 90}}, r"denoiser\.edm\.sigma_min: 90.* is not below sigma_max"),
        ("edm", {"training": {"residual": "velocity"}}, r"denoiser\.training\.residual: velocity does not go with edm"),
        (
            "flow",
            {"training": {"log_sigma_std": 0.9}},
            r"denoiser\.training\.log_sigma_std: noise_levels: uniform does not",
        ),
        (
            "edm",
            {"training": {"noise_levels": "uniform"}},
            r"denoiser\.training\.noise_levels: uniform does not go with edm",
        ),
    ],
)
def test_keys_of_another_kind_of_network_are_refused(
    folder: Path, kind: str, extra: dict[str, Any], message: str
) -> None:
    training = {**VALID["denoiser"]["training"], "prediction_type": kind, **extra.pop("training", {})}
    with pytest.raises(InputError, match=message):
        load_study(written(changed("denoiser", {"source": "train", "training": training, **extra}), folder))


def test_a_training_depends_on_the_noise_of_its_own_kind_alone() -> None:
    def settings(kind: str, **training: Any) -> dict[str, Any]:
        denoiser = {"source": "train", "training": {"steps": 10, "prediction_type": kind, **training}}
        return Study.model_validate({**VALID, "denoiser": denoiser}).denoiser.settings()

    assert settings("epsilon").keys() & {"schedule", "edm"} == {"schedule"}
    assert settings("edm").keys() & {"schedule", "edm"} == {"edm"}
    assert not settings("flow").keys() & {"schedule", "edm"}
    assert ["log_sigma_std" in settings(kind)["training"] for kind in ("epsilon", "edm", "flow")] == [
        False,
        True,
        False,
    ]
    lognormal = settings("flow", noise_levels="lognormal", log_sigma_mean=0)["training"]
    assert (lognormal["log_sigma_mean"], lognormal["log_sigma_std"]) == (0, 1.2)


def test_the_eigenbasis_is_made_before_a_network_that_learns_the_rest() -> None:
    def needed(**training: str) -> list[str]:
        recipe = {"steps": 10, "prediction_type": "v_prediction", **training}
        return files.residual.training_basis(
            "s", Study.model_validate({**VALID, "denoiser": {"source": "train", "training": recipe}})
        )

    assert needed() == []
    assert needed(residual="blend") == ["results/s/eigenbasis.zarr.zip"]


@pytest.mark.parametrize(
    ("kind", "section", "message"),
    [
        ("edm", {"training_steps": [5]}, r"residual: no form goes with prediction_type edm"),
        ("v_prediction", {"training_steps": []}, r"residual\.training_steps"),
        ("v_prediction", {"training_steps": [5, 5]}, r"residual\.training_steps: \[5, 5\] lists one twice"),
        ("v_prediction", {"training_steps": [5], "forms": ["rest"]}, r"residual\.forms"),
    ],
)
def test_trainings_that_cannot_be_compared_are_refused(
    folder: Path, kind: str, section: dict[str, Any], message: str
) -> None:
    denoiser = {"source": "train", "training": {"steps": 10, "prediction_type": kind}}
    content = changed("denoiser", denoiser) | {"residual": section}
    with pytest.raises(InputError, match=message):
        load_study(written(content, folder))


def test_trainings_need_a_recipe(folder: Path) -> None:
    content = changed("denoiser", HUB) | {"residual": {"training_steps": [5]}}
    with pytest.raises(InputError, match=r"residual: a denoiser of source hub has no recipe"):
        load_study(written(content, folder))


def test_a_form_of_training_differs_from_the_study_s_in_form_seed_and_steps_alone() -> None:
    training = {"steps": 10, "prediction_type": "v_prediction", "snapshots": [5], "seed": 4}
    content = {**VALID, "denoiser": {"source": "train", "training": training}, "residual": {"training_steps": [9, 3]}}
    study = Study.model_validate(content)
    found = files.residual.recipe("s", study, "velocity", "5", "9")
    own = study.denoiser.settings()
    assert found == {
        **own,
        "training": {**own["training"], "residual": "velocity", "seed": 5, "steps": 9, "snapshots": ()},
    }
    assert files.residual.basis("s", study, "none") == []
    assert files.residual.basis("s", study, "blend") == ["results/s/eigenbasis.zarr.zip"]
    assert files.residual.rows("s", study)[-1] == "results/s/residual/blend/seed_6.json"
    assert files.residual.networks("s", study, "none", "4", "model_index.json") == [
        f"results/s/residual/none/seed_4/steps_{steps}/denoiser/model_index.json" for steps in (3, 9)
    ]


@pytest.mark.parametrize("kind", ["v_prediction", "edm", "flow"])
def test_a_study_written_out_in_full_is_read_again(kind: str) -> None:
    study = Study.model_validate(
        {**VALID, "denoiser": {"source": "train", "training": {"steps": 10, "prediction_type": kind}}}
    )
    assert Study.model_validate(study.model_dump(by_alias=True)) == study
