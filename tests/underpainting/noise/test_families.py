"""Schedulers: every class of the installed diffusers is known or refused by name; where it is known, its own table is used."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from underpainting import denoisers
from underpainting.noise import families, schedules
from underpainting.noise.levels import training_grid

pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept")  # diffusers hands tensors to NumPy

SHAPES = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "exp", "laplace")
KNOWN = sorted(name for names in families.FAMILIES.values() for name in names)
WITH_BETAS = sorted(families.FAMILIES["variance preserving"])


def classes_of_diffusers() -> list[str]:
    """Every scheduler in the source of the installed diffusers, those that need further packages, too."""
    folder = Path(diffusers.__file__).parent / "schedulers"
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return sorted({node.name for node in nodes if any(ast.unparse(base) == "SchedulerMixin" for base in node.bases)})


CLASSES = classes_of_diffusers()


def written(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scheduler_config.json").write_text(json.dumps(config))
    return folder


def test_all_known_classes_are_in_diffusers() -> None:
    assert len(CLASSES) > 40
    assert set(KNOWN) < set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_diffusers_is_known_or_refused_by_its_name(name: str, tmp_path: Path) -> None:
    folder = written(tmp_path, {"_class_name": name})
    if name not in KNOWN:
        with pytest.raises(
            ValueError, match=rf"scheduler_config\.json: the noise path of the scheduler '{name}' is not known"
        ):
            denoisers.load_schedule(folder)
        return
    loaded, own = denoisers.load_schedule(folder), getattr(diffusers, name)()
    assert families.family_of(type(loaded).__name__) == families.family_of(name)
    if name in WITH_BETAS:
        assert torch.equal(loaded.alphas_cumprod, own.alphas_cumprod)
    grid, same = training_grid(loaded), training_grid(own)
    np.testing.assert_array_equal(grid.sigma, same.sigma)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", WITH_BETAS)
def test_the_table_is_that_of_the_class(name: str, shape: str, tmp_path: Path) -> None:
    """DDIM's class does not know every shape of betas; copied and read again, the table is the same."""
    config = {"_class_name": name, "beta_schedule": shape, "num_train_timesteps": 100, "beta_end": 0.03}
    try:
        own = getattr(diffusers, name).from_config(config)
    except NotImplementedError:
        with pytest.raises(ValueError, match=r"makes no noise schedule \(NotImplementedError"):
            denoisers.load_schedule(written(tmp_path, config))
        return
    loaded = denoisers.load_schedule(written(tmp_path, config))
    loaded.save_pretrained(tmp_path / "copy")
    again = denoisers.load_schedule(tmp_path / "copy")
    square = own.alphas_cumprod.double().numpy()
    for found in (loaded, again):
        assert torch.equal(found.alphas_cumprod, own.alphas_cumprod)
    for found in (schedules.schedule_of(own), schedules.load_schedule(tmp_path / "copy" / "scheduler_config.json")):
        assert isinstance(found, schedules.VariancePreservingSchedule)
        np.testing.assert_array_equal(found.ratios, np.sqrt((1 - square) / square))


BETAS = st.lists(st.floats(0.0001220703125, 0.25, width=32), min_size=2, max_size=60)


@given(name=st.sampled_from([name for name in WITH_BETAS if name != "RePaintScheduler"]), betas=BETAS)
def test_betas_that_are_given_are_followed(name: str, betas: list[float], tmp_path_factory: Any) -> None:
    config = {"_class_name": name, "trained_betas": betas, "num_train_timesteps": len(betas)}
    loaded = denoisers.load_schedule(written(tmp_path_factory.mktemp("betas"), config))
    expected = torch.cumprod(1 - torch.tensor(betas, dtype=torch.float32), 0)
    assert torch.equal(loaded.alphas_cumprod, expected)


@pytest.mark.filterwarnings("ignore:Casting complex values:UserWarning:diffusers.*")  # of a negative sigma_min
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "names no class. Remedy: add the _class_name"),
        ({"_class_name": ["DDIMScheduler"]}, "names no class"),
        ({"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": True}, "end at alpha = 0"),
        ({"_class_name": "DDPMScheduler", "trained_betas": [0.1, 1.0], "num_train_timesteps": 2}, "end at alpha = 0"),
        ({"_class_name": "DDIMScheduler", "prediction_type": "velocity"}, "predicts epsilon, v_prediction, sample"),
        (
            {"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction"},
            "'flow_prediction' is not known",
        ),
        ({"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True}, "only use_flow_sigmas: False is"),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"}, "only timestep_type: 'discrete' is"),
        ({"_class_name": "EDMEulerScheduler", "prediction_type": "v_prediction"}, "predicts epsilon"),
        ({"_class_name": "EDMEulerScheduler", "sigma_min": 90.0}, "makes no noise schedule"),
        ({"_class_name": "EDMEulerScheduler", "sigma_min": -1.0}, "sigma_min: -1.0 is no level of noise"),
        ({"_class_name": "EDMEulerScheduler", "sigma_data": None}, "sigma_data: None is no level of noise"),
        ({"_class_name": "EDMEulerScheduler", "sigma_data": "0.5"}, "sigma_data: 0.5 is no level of noise"),
        (
            {"_class_name": "DDIMScheduler", "trained_betas": [0.001] * 500},
            "are 500 numbers for num_train_timesteps: 1000",
        ),
        ({"_class_name": "DDIMScheduler", "trained_betas": [0.0] * 1000}, "do not fall from time to time"),
        ({"_class_name": "DDPMScheduler", "predict_epsilon": False}, "write prediction_type: sample"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "invert_sigmas": True}, "only invert_sigmas: False is"),
        ({"_class_name": "DDIMScheduler", "beta_start": "small"}, "makes no noise schedule"),
        ({"_class_name": "DDIMScheduler", "beta_start": -0.5}, "makes no noise schedule"),
        ({"_class_name": "DDIMScheduler", "beta_schedule": "steep"}, "makes no noise schedule"),
    ],
)
def test_settings_that_leave_the_path_are_refused(config: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as error:
        denoisers.load_schedule(written(tmp_path, config))
    assert "scheduler_config.json" in str(error.value)


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
def test_the_shift_of_flow_matching_moves_steps_not_the_time_of_a_level(shift: float) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(20)
    torch.testing.assert_close(scheduler.timesteps, 1000 * scheduler.sigmas[:-1], rtol=1e-6, atol=0)
