"""The section of jumps in latent space: its errors, runs, files, and calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.underpainting_workflow.test_text_to_image import VALID, changed, study, written
from underpainting.io.errors import InputError
from underpainting_workflow import text_preflight
from underpainting_workflow.studies import load_any
from underpainting_workflow.studies.text_to_image import costs, files, resources, teleport_files
from underpainting_workflow.studies.text_to_image.teleport import Way

DATA = {"source": "painted_digits", "digits": "sklearn"}
SWEEP: dict[str, Any] = {
    "known": ["a red one", "a blue two on white"],
    "left_out": ["a green seven on red"],
    "samplers": [{"name": "ddim", "steps": 10}, {"name": "dpmsolverpp", "steps": 10}],
    "skipped_steps": [4, 8],
    "guidance": [1, 7.5],
    "seeds": 3,
}


def test_runs_are_those_that_differ(tmp_path: Path) -> None:
    found = study(tmp_path, dataset=DATA, teleport=SWEEP)
    sweep = teleport_files.stage(found)
    names = [(scale, sampler.id, way.id) for scale, sampler, way in sweep.runs()]
    assert len(names) == len(set(names))
    without = {way for scale, _, way in names if scale == 1}
    assert "interval" not in without and "guided_predicted" not in without and "relative_prompt" in without
    assert {way for _, sampler, way in names if sampler == "dpmsolverpp-10"} == {
        "plain",
        "jump_common",
        "jump_prompt",
        "jump_predicted",
    }
    assert {"interval", "guided_predicted"} < {way for scale, _, way in names if scale == 7.5}


def test_files_of_a_run_lead_back_to_it(tmp_path: Path) -> None:
    found = study(tmp_path, dataset=DATA, teleport=SWEEP)
    paths = teleport_files.runs("words", found, "g7.5")
    assert paths[0] == "results/words/latent_teleport/g7.5/ddim-10/plain.zarr.zip"
    assert len(paths) == len(teleport_files.measure_settings(found, "g7.5")["runs"])  # type: ignore[arg-type]
    settings = teleport_files.run_settings(found, "g7.5", "ddim-10", "guided_predicted")
    assert (settings["kind"], settings["gaussian"], settings["skipped_steps"]) == ("guided", "predicted", [4, 8])
    assert teleport_files.run_settings(found, "g1", "ddim-10", "plain")["skipped_steps"] == [0, 4, 8]
    assert teleport_files.of_gaussians("words", "plain") == {}
    assert set(teleport_files.of_gaussians("words", "jump_predicted")) == {"gaussians", "regression"}
    assert "results/words/tables/latent_teleport.html" in files.tables("words", found)
    assert "results/words/tables/latent_teleport.html" not in files.tables("words", study(tmp_path))


def test_a_job_is_expected_to_make_the_calls_that_it_makes(tmp_path: Path) -> None:
    found = study(tmp_path, dataset=DATA, teleport=SWEEP)
    sweep = teleport_files.stage(found)
    assert sweep.calls("ddim", Way("plain"), 1.0) == 10 + 6 + 2
    assert sweep.calls("ddim", Way("jump", "prompt"), 7.5) == 2 * (6 + 2)
    assert sweep.calls("ddim", Way("interval"), 7.5) == (4 + 2 * 6) + (8 + 2 * 2)
    assert sweep.calls("ddim", Way("relative", "prompt"), 7.5) == 2 * (6 + 2)
    wildcards = {"scale": "g7.5", "sampler": "ddim-10", "way": "jump_prompt"}
    assert costs.network_calls("sample_latent_teleport", found, wildcards) == 3 * 3 * 16
    assert costs.largest("sample_latent_teleport", found) >= 3 * 3 * 16
    assert costs.network_calls("solve_latents", found, {"scale": "g1"}) == 3 * 3 * (2 * 30 - 1)
    assert resources.runtime("sample_latent_teleport", found) >= 1 and resources.memory("solve_latents", found) > 0


def test_a_limit_holds_for_jumps_too(tmp_path: Path) -> None:
    sweep = {**SWEEP, "known": ["a red one", "a one", "a blue two"], "left_out": []}
    found = teleport_files.stage(study(tmp_path, dataset=DATA, teleport=sweep, limit=2))
    assert (found.known, found.left_out, found.seeds, found.solution.seeds) == (("a red one", "a one"), (), 2, 2)


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"skipped_steps": [4, 10]}, "teleport.skipped_steps", "leave none of the 10 steps"),
        ({"skipped_steps": [0, 4]}, "teleport.skipped_steps", "cannot be skipped"),
        (
            {"samplers": [{"name": "ddim", "steps": 10}, {"name": "euler", "steps": 5}]},
            "teleport.samplers",
            "other steps",
        ),
        ({"samplers": [{"name": "relative", "steps": 10}]}, "teleport.samplers", "cannot be swept"),
        ({"left_out": ["a red one"]}, "teleport.known", "listed twice"),
        ({"guidance": [7.5, 1]}, "teleport.guidance", "not ascending"),
        ({"solution": {"seeds": 9}}, "teleport.solution.seeds", "exceed the 3 seeds"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(tmp_path: Path, changes: Any, key: str, text: str) -> None:
    content = {**VALID, "dataset": DATA, "teleport": {**SWEEP, **changes}}
    with pytest.raises(InputError, match=text) as caught:
        load_any(written(content, tmp_path))
    assert key in str(caught.value)


def test_jumps_need_images_with_captions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="real images with captions"):
        load_any(written(changed(teleport=SWEEP), tmp_path))


def test_prompts_that_are_no_captions_are_refused_before_any_job(tmp_path: Path) -> None:
    good = study(tmp_path, dataset=DATA, teleport=SWEEP)
    text_preflight.check_teleport(good, tmp_path / "words.yaml")
    bad = study(tmp_path, dataset=DATA, teleport={**SWEEP, "left_out": ["a cat on a sofa"]})
    with pytest.raises(InputError, match="no caption") as caught:
        text_preflight.check_teleport(bad, tmp_path / "words.yaml")
    assert "teleport.left_out" in str(caught.value)
