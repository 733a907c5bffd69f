"""Study files of text-to-image models: keys, errors, files, costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from underpainting.io.errors import InputError
from underpainting_workflow.studies import TextToImageStudy, load_any, load_study
from underpainting_workflow.studies.text_to_image import costs, files, resources

ROOT = Path(__file__).parents[2]
VALID: dict[str, Any] = {
    "kind": "text_to_image",
    "title": "Words",
    "denoiser": {"source": "path", "path": "model"},
    "prompts": ["a cat", "a dog", "a house"],
    "trajectories": {
        "samplers": [{"name": "pndm", "steps": 5}, {"name": "lms", "steps": 5}],
        "guidance": [1, 7.5],
        "seeds": 4,
    },
}


def written(content: Any, folder: Path) -> Path:
    file = folder / "words.yaml"
    file.write_text(json.dumps(content))
    return file


def changed(**changes: Any) -> dict[str, Any]:
    return {
        **VALID,
        **{key: {**VALID.get(key, {}), **part} if isinstance(part, dict) else part for key, part in changes.items()},
    }


def study(folder: Path, **changes: Any) -> TextToImageStudy:
    found = load_any(written(changed(**changes), folder))
    assert isinstance(found, TextToImageStudy)
    return found


def test_the_kind_of_a_study_selects_its_keys(tmp_path: Path) -> None:
    found = study(tmp_path)
    assert [run.guidance for run in found.trajectories.runs] == [1.0, 7.5, 1.0, 7.5]
    assert found.trajectories.main.sampler.id == "pndm-5" and found.trajectories.main.guidance == 7.5
    assert files.main_trajectory("words", found) == "results/words/trajectories/pndm-5/g7.5.zarr.zip"
    assert files.trajectories("words", found)[0] == files.main_trajectory("words", found)


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"kind": "text_to_images"}, "kind", "did you mean 'text_to_image'"),
        ({"low_nfe": {}}, "low_nfe", "unknown key"),
        ({"prompts": ["a", "a"]}, "prompts", "lists a prompt twice"),
        ({"prompts": []}, "prompts", "not allowed"),
        ({"trajectories": {"guidance": [7.5, 1]}}, "trajectories.guidance", "not ascending"),
        ({"trajectories": {"guidance": [0.5]}}, "trajectories.guidance", "greater than or equal to 1"),
        ({"trajectories": {"main_guidance": 3}}, "trajectories.main_guidance", "not among the scales"),
        (
            {"trajectories": {"samplers": [{"name": "ddpm", "steps": 5}]}},
            "trajectories.samplers",
            "not for trajectories",
        ),
        ({"trajectories": {"samplers": [{"name": "relative", "steps": 5}]}}, "trajectories.samplers", "not for trajec"),
        ({"figures": {"seed": 7}}, "figures.seed", "choose one from 100 to 103"),
        ({"figures": {"prompt": 3}}, "figures.prompt", "no place in a list of 3"),
        ({"denoiser": {"source": "hub"}}, "denoiser.path", "unknown key"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(tmp_path: Path, changes: Any, key: str, text: str) -> None:
    content = {**VALID, **changes} if set(changes) & {"low_nfe", "figures"} else changed(**changes)
    with pytest.raises(InputError, match=text) as caught:
        load_any(written(content, tmp_path))
    assert any(problem.key.startswith(key) for problem in caught.value.problems)


def test_commands_for_studies_of_images_refuse_another_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a study of images is needed"):
        load_study(written(VALID, tmp_path))


def test_a_limit_keeps_the_first_prompts_and_seeds(tmp_path: Path) -> None:
    few = study(tmp_path, limit=2)
    assert few.prompts == ("a cat", "a dog") and few.trajectories.seeds == 2
    with pytest.raises(InputError, match="greater than or equal to 2"):
        study(tmp_path, limit=1)


def test_an_estimate_with_guidance_counts_as_two_network_calls(tmp_path: Path) -> None:
    found = study(tmp_path)
    calls = {
        scale: costs.network_calls("sample_latent_trajectories", found, {"sampler": "pndm-5", "scale": scale})
        for scale in ("g1", "g7.5")
    }
    assert calls == {"g1": 12 * 6, "g7.5": 2 * 12 * 6}  # PNDM calls its network once more than it has steps
    assert resources.runtime("sample_latent_trajectories", found) >= 10
    assert resources.memory("sample_latent_trajectories", found) > 1000


def test_the_papers_model_is_a_study() -> None:
    found = load_any(ROOT / "config/studies/sd15.yaml")
    assert isinstance(found, TextToImageStudy) and found.trajectories.main.guidance == 7.5
    size = costs.stored_bytes("sample_latent_trajectories", found, {"sampler": "pndm-50", "scale": "g7.5"})
    assert size and 300e6 < size < 400e6  # 56 images, 51 states and estimates of 16,384 values
