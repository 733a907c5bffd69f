"""The trainer: deterministic, resumable to the bit, and it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from tests.helpers.networks import SMALL
from underpainting.training import checkpoints, objectives
from underpainting.training.trainer import Recipe, Trainer, draw, make_unet


def images(count: int = 40) -> Tensor:
    """Stripes of four kinds, so that there is something to learn."""
    rows = torch.arange(8)[None, :, None] // torch.tensor([1, 2, 4, 8])[:, None, None]
    kinds = ((rows % 2) * 200 + 20).expand(4, 8, 8).to(torch.uint8)
    return kinds[torch.arange(count) % 4][:, None]


def trainer(**changes: object) -> Trainer:
    recipe = Recipe(**{"steps": 12, "batch_size": 8, "warmup": 2, **changes})  # type: ignore[arg-type]
    torch.manual_seed(recipe.seed)
    network = make_unet((1, 8, 8), **SMALL)
    schedule = objectives.make_schedule(recipe.prediction_type, {}, {})
    return Trainer(network, images(), schedule, recipe, torch.device("cpu"))


class StoppedError(Exception):
    """Raised in the middle of a training."""


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def stop_at(step: int) -> object:
    def every(done: int) -> None:
        if done == step:
            raise StoppedError

    return every


@pytest.mark.parametrize(("stop", "prediction"), [(1, "epsilon"), (5, "edm"), (11, "flow")])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path, stop: int, prediction: str) -> None:
    whole = trainer(prediction_type=prediction)
    losses = whole.run(tmp_path / "none", "run")
    interrupted = trainer(prediction_type=prediction)
    with pytest.raises(StoppedError):
        interrupted.run(tmp_path / "checkpoint", "run", seconds=-1, every=stop_at(stop))  # type: ignore[arg-type]
    resumed = trainer(prediction_type=prediction)
    np.testing.assert_array_equal(resumed.run(tmp_path / "checkpoint", "run", seconds=-1), losses)
    assert same(whole.network.state_dict(), resumed.network.state_dict())


def test_a_checkpoint_of_another_run_is_ignored(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        trainer(seed=1).run(tmp_path / "checkpoint", "other", seconds=-1, every=stop_at(5))  # type: ignore[arg-type]
    fresh, reference = trainer(), trainer()
    np.testing.assert_array_equal(fresh.run(tmp_path / "checkpoint", "run"), reference.run(tmp_path / "none", "run"))


def test_a_damaged_checkpoint_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"half a file")
    assert checkpoints.read(tmp_path / "checkpoint", "run") is None
    trainer().run(tmp_path / "checkpoint", "run")


def test_the_averaged_weights_become_the_network(tmp_path: Path) -> None:
    one = trainer(ema_decay=0.9)
    one.run(tmp_path / "none", "run")
    assert same(one.network.state_dict(), one.average)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample", "edm", "flow"])
def test_training_lowers_the_loss(tmp_path: Path, prediction: str) -> None:
    losses = trainer(steps=80, prediction_type=prediction, learning_rate=3e-3).run(tmp_path / "none", "run")
    assert losses[-10:].mean() < 0.8 * losses[:10].mean()


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_targets_give_back_image_and_noise(prediction: str) -> None:
    schedule = DDIMScheduler(clip_sample=False)
    recipe = Recipe(steps=1, batch_size=16, prediction_type=prediction)  # type: ignore[arg-type]
    noisy, times, target = draw(images(), schedule, recipe, 0)
    alpha = schedule.alphas_cumprod[times].sqrt()[:, None, None, None]
    sigma = (1 - alpha**2).sqrt()
    clean = {
        "epsilon": (noisy - sigma * target) / alpha,
        "v_prediction": alpha * noisy - sigma * target,
        "sample": target,
    }[prediction]
    known = images().float() / 127.5 - 1
    distance = (clean[:, None] - known[None]).flatten(2).abs().amax(2).amin(1)
    tolerance = 1e-5 / alpha.flatten() if prediction == "epsilon" else torch.full((16,), 1e-5)
    assert (distance < 2 * tolerance).all()


def test_times_are_stratified() -> None:
    recipe = Recipe(steps=1, batch_size=50)
    _, times, _ = draw(images(), DDIMScheduler(), recipe, 7)
    assert (times // 20).tolist() == list(range(50))


def test_flips_mirror_about_half_of_the_images() -> None:
    ramp = torch.arange(8, dtype=torch.uint8).repeat(64, 1, 8, 1)
    recipe = Recipe(steps=1, batch_size=200, flip=True, prediction_type="sample")
    _, _, clean = draw(ramp, DDIMScheduler(), recipe, 0)
    mirrored = (clean[:, 0, 0, 0] > clean[:, 0, 0, -1]).float().mean()
    assert 0.35 < mirrored < 0.65


def test_a_diverging_training_stops_with_a_remedy(tmp_path: Path) -> None:
    broken = trainer(learning_rate=1e30, warmup=0)
    with pytest.raises(FloatingPointError, match="learning_rate"):
        broken.run(tmp_path / "none", "run")
