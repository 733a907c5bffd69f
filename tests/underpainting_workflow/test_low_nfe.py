"""The sweep over few network calls: what a study file may say of it, its runs, and the files that it is measured from."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from underpainting.io.errors import InputError
from underpainting.teleport.registry import NO_JUMP
from underpainting_workflow.studies import Study, files, load_study
from underpainting_workflow.studies.low_nfe import LowNfeConfig

TINY = Path(__file__).parents[1] / "studies" / "tiny.yaml"
BUDGET: dict[str, Any] = {
    "samplers": ["ddim", "heun"],
    "nfe": [5, 6, 8],
    "reference": 20,
    "jumps": [
        {"name": "gaussian", "skipped_percent": [60, 40]},
        {"name": "lowrank", "rank": 8, "skipped_percent": [70]},
    ],
    "seeds": 50,
    "shard_size": 20,
}


def content_with(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    return {**content, "low_nfe": {**copy.deepcopy(BUDGET), **changes}}


def study_with(**changes: Any) -> Study:
    return Study.model_validate(content_with(**changes))


def low_nfe_with(**changes: Any) -> LowNfeConfig:
    return files.low_nfe.section(study_with(**changes))


# --- steps and runs --------------------------------------------------------------------------------------------------


def test_numbers_of_calls_that_pay_for_the_same_steps_are_one() -> None:
    """Heun's three steps take five calls, its four take seven."""
    low_nfe = low_nfe_with()
    assert (low_nfe.steps("ddim"), low_nfe.steps("heun")) == ([5, 6, 8], [3, 4])
    assert (low_nfe.reference_steps("ddim"), low_nfe.reference_steps("heun")) == (20, 10)


def test_every_run_is_made_once_and_the_plain_one_without_a_jump() -> None:
    runs = low_nfe_with().runs()
    assert len(runs) == len(set(runs)) == (3 + 2) * 3 + 2
    assert [run for run in runs if run.steps in (20, 10)] == [
        ("ddim", 20, "time", NO_JUMP),
        ("heun", 10, "time", NO_JUMP),
    ]
    assert {run.jump for run in runs} == {NO_JUMP, "gaussian", "lowrank8"}


def test_samplers_run_on_every_grid_and_the_relative_one_on_its_own() -> None:
    low_nfe = low_nfe_with(samplers=["relative", "ddim"], grids=["covariance", "time", "karras"], nfe=[5])
    assert low_nfe.grids == ("time", "karras", "covariance")
    grids = [(run.sampler_name, run.grid) for run in low_nfe.runs() if run.jump == NO_JUMP and run.steps == 5]
    assert grids == [("ddim", "time"), ("ddim", "karras"), ("ddim", "covariance"), ("relative", "covariance")]
    jumped = {(run.sampler_name, run.grid) for run in low_nfe.runs() if run.jump != NO_JUMP}
    assert jumped == {("ddim", "time"), ("relative", "covariance")}, "after a jump on the first grid alone"
    plain = [(run.sampler_name, run.grid, run.jump) for run in low_nfe.runs() if run.steps == 20]
    assert plain == [("ddim", "time", NO_JUMP), ("relative", "covariance", NO_JUMP)]


def test_a_plain_run_that_is_swept_anyway_is_no_other() -> None:
    assert len(low_nfe_with(reference=8).runs()) == (3 + 2) * 3
    assert len(low_nfe_with(reference=None).runs()) == (3 + 2) * 3
    assert low_nfe_with(reference=None).reference_steps("ddim") is None


def test_lists_are_sorted_and_named() -> None:
    low_nfe = low_nfe_with(nfe=[8, 5])
    assert low_nfe.nfe == (5, 8)
    assert low_nfe.skipped_percent("gaussian") == (40, 60)
    assert low_nfe.skipped_percent(NO_JUMP) == (0,)
    assert low_nfe.jump("lowrank8").skipped_percent == (70,)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler_name", ["ddim", "heun"])
def test_the_files_of_a_sampler_stand_in_the_order_of_its_runs(sampler_name: str) -> None:
    """The script that measures them cuts the list by the number of runs."""
    study = study_with()
    listed, settings = (
        files.low_nfe.features("mine", study, sampler_name),
        files.low_nfe.settings("mine", study, sampler_name),
    )
    runs: Any = settings["runs"]
    shards = len(listed) // len(runs)
    assert shards == 3
    for number, (steps, grid, jump) in enumerate(runs):
        assert grid == "time"
        folder = f"results/mine/low_nfe/{sampler_name}-{steps}/{jump}"
        part = listed[number * shards : (number + 1) * shards]
        assert part == [f"{folder}/seeds_{first}-{min(first + 20, 50)}.zarr.zip" for first in (0, 20, 40)]
    assert [settings["reference"], "time", NO_JUMP] in runs


def test_runs_on_other_grids_have_folders_of_their_own_and_the_inputs_that_they_need() -> None:
    study = study_with(samplers=["ddim", "relative"], grids=["time", "karras", "covariance"], nfe=[5], reference=None)
    for sampler_name, marks in {"ddim": ("", "-karras", "-covariance"), "relative": ("-covariance",)}.items():
        folders = {file.split("/")[3] for file in files.low_nfe.features("mine", study, sampler_name)}
        assert folders == {f"{sampler_name}-5{mark}" for mark in marks}
        for mark in marks:
            needed = mark == "-covariance"
            found = files.low_nfe.basis("mine", study, sampler_name, mark)
            assert found == ["results/mine/eigenbasis.zarr.zip"] * needed
    assert files.low_nfe.run_settings("mine", study, "-karras", NO_JUMP)["grid"] == "karras"
    assert "grid" not in files.low_nfe.run_settings("mine", study, "", NO_JUMP)


def test_runs_of_a_jump_begin_with_its_states() -> None:
    study = study_with()
    assert files.low_nfe.landed("mine", study, NO_JUMP, "0", "20") == []
    assert files.low_nfe.landed("mine", study, "lowrank8", "0", "20") == [
        "results/mine/jumps/lowrank8/seeds_0-20.zarr.zip"
    ]


def test_a_jump_has_what_it_is_made_from() -> None:
    kinds = [{"name": name, "skipped_percent": [50]} for name in ("gaussian", "mixture", "samples")]
    study = study_with(jumps=kinds)
    made_from = {kind["name"]: files.low_nfe.jump_inputs("mine", study, str(kind["name"])) for kind in kinds}
    assert made_from["gaussian"] == {"eigenbasis": "results/mine/eigenbasis.zarr.zip"}
    assert made_from["mixture"] == {"mixture": "results/mine/mixture.zarr.zip"}
    assert made_from["samples"] == {
        "samples": files.stages.shards(files.sweep.samples(0, "mine", "ddim-6"), study.teleport)
    }


def test_a_study_without_the_section_has_no_such_rows() -> None:
    content = content_with()
    del content["low_nfe"]
    study = Study.model_validate(content)
    assert files.low_nfe.rows("mine", study) == []
    with pytest.raises(ValueError, match="this study has no section `low_nfe`"):
        files.low_nfe.section(study)


# --- slips -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "key", "problem", "remedy"),
    [
        ({"samplers": ["ddim", "ddim"]}, "low_nfe.samplers", "a sampler is listed twice", "list each sampler once"),
        ({"grids": ["time", "time"]}, "low_nfe.grids", "a grid is listed twice", "list each grid once"),
        ({"grids": ["linear"]}, "low_nfe.grids[0]", "'linear' is not allowed", "karras"),
        ({"samplers": ["plms"]}, "low_nfe.samplers[0]", "'plms' is not allowed", "ddim"),
        ({"samplers": []}, "low_nfe.samplers", "at least 1", ""),
        ({"nfe": [0, 5]}, "low_nfe.nfe", "[0] are no numbers of network calls", "give numbers of 1 or more"),
        (
            {"nfe": [8, 5, 8]},
            "low_nfe.nfe",
            "lists a number of network calls twice",
            "list each number of network calls once",
        ),
        ({"nfe": [5, [6]]}, "low_nfe.nfe[1]", "[6] is not allowed", "valid integer"),
        ({"reference": 0}, "low_nfe.reference", "0 is not allowed", ""),
        ({"seeds": 10}, "low_nfe.seeds", "10 are fewer than the 20 images of a KID subset", "raise it"),
        (
            {"jumps": [{"name": "gaussian", "skipped_percent": [40, 40]}]},
            "skipped_percent",
            "lists a percentage twice",
            "list each percentage once",
        ),
        ({"jumps": [{"name": "gaussian", "skipped_percent": [100]}]}, "skipped_percent", "100 is not allowed", "99"),
        ({"jumps": [{"name": "gaussian", "skipped_percent": []}]}, "skipped_percent", "at least 1", ""),
        (
            {"jumps": [{"name": "gaussian", "skipped_percent": [40]}, {"name": "gaussian", "skipped_percent": [60]}]},
            "low_nfe.jumps",
            "gaussian is listed twice",
            "put all its percentages into one entry",
        ),
        (
            {"jumps": [{"name": "lowrank", "rank": 65, "skipped_percent": [40]}]},
            "low_nfe.jumps",
            "lowrank65 exceeds the 64 components of the eigenbasis",
            "lower its rank",
        ),
        ({"jumps": [{"name": "lowrank", "skipped_percent": [40]}]}, "low_nfe.jumps[0].rank", "missing", "add it"),
        (
            {"jumps": [{"name": "gaussian", "skipped_percent": [40], "rank": 3}]},
            "low_nfe.jumps[0]",
            "nothing but lowrank uses it",
            "",
        ),
        ({"jump": []}, "low_nfe.jump", "unknown key", "did you mean 'jumps'?"),
    ],
    ids=str,
)
def test_a_slip_is_told_with_key_and_remedy(
    changes: dict[str, Any], key: str, problem: str, remedy: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content_with(**changes)), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_study(path)
    message = str(caught.value)
    assert all(text in message for text in ("mine.yaml", key, problem, remedy)), message


def test_a_relative_sampler_is_refused_where_its_first_steps_would_be_skipped(tmp_path: Path) -> None:
    content = content_with()
    content["teleport"]["samplers"] = [{"name": "ddim", "steps": 6}, {"name": "relative", "steps": 6}]
    content["trajectories"]["samplers"] = [{"name": "relative", "steps": 4, "timestep_spacing": "leading"}]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_study(path)
    message = str(caught.value)
    for text in ("mine.yaml", "teleport.samplers", "relative-6 follows the Gaussian", "list it in low_nfe.samplers"):
        assert text in message, message
    assert "trajectories.samplers[0].timestep_spacing" in message and "takes its levels from the eigenbasis" in message
    del content["trajectories"]["samplers"][0]["timestep_spacing"]
    content["teleport"]["samplers"].pop()
    study = Study.model_validate(content)
    assert files.trajectories.basis("mine", study, "relative-4") == ["results/mine/eigenbasis.zarr.zip"]


def test_a_basis_of_samples_needs_samples_without_a_jump(tmp_path: Path) -> None:
    content = content_with(jumps=[{"name": "samples", "skipped_percent": [50]}])
    content["teleport"]["skipped_steps"] = [2]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"(?s)samples needs the samples without a jump.*add 0 to teleport\.skipped_steps"
    ):
        load_study(path)
