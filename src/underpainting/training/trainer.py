r"""A small trainer, which gives a study without pretrained weights a real denoiser (Eq. 5).

    loss = E || network(input, time) - target ||^2,     input, time and target: `objectives`

Step n draws its images, times and noise from a generator seeded by (seed, n) alone. So a training that was killed
continues from its checkpoint to the same weights as without the interruption, bit for bit. Times are stratified: one in
each of `batch_size` equally likely parts, which lowers the variance of the loss.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from underpainting import meter
from underpainting.training import checkpoints, objectives
from underpainting.training.objectives import NoiseLevels, Objective, TrainingBatch

log = logging.getLogger(__name__)

_HELD_OUT = 2**31  # larger than any training seed of a study


@dataclass(frozen=True)
class OptimizerRecipe:
    """Settings of the training of any network.

    Attributes:
        steps: number of optimizer steps.
        batch_size: images per step.
        learning_rate: peak of AdamW's rate; linear warm-up, then a cosine down to zero.
        warmup: steps of warm-up.
        weight_decay: of AdamW.
        ema_decay: of the exponential moving average that becomes the network.
        seed: of everything random.
        snapshots: steps after which the averaged weights are kept.
    """

    steps: int
    batch_size: int = 128
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.0
    ema_decay: float = 0.995
    seed: int = 0
    snapshots: tuple[int, ...] = ()

    def rate(self, step: int) -> float:
        """Compute the learning rate of a step."""
        warm = min(1.0, (step + 1) / max(self.warmup, 1))
        return self.learning_rate * warm * 0.5 * (1.0 + float(np.cos(np.pi * step / self.steps)))

    def decay(self, step: int) -> float:
        """Compute the EMA decay of a step; it is small at first, so that initial weights are forgotten."""
        return min(self.ema_decay, (1.0 + step) / (10.0 + step))

    def generator(self, step: int) -> torch.Generator:
        """Return the random generator of a step, a function of (seed, step)."""
        return torch.Generator().manual_seed(self.seed * 2**32 + step)


@dataclass(frozen=True)
class Recipe(OptimizerRecipe):
    """Settings of the training of a denoiser; those of `OptimizerRecipe` and these.

    Attributes:
        flip: mirror images at random.
        prediction_type: quantity that the network predicts.
        residual: whether it learns only the residual of the Gaussian, and in which form (`denoisers.residual`).
        noise_levels: distribution of noise levels: uniform in time or log-normal in sigma / alpha; for EDM always the latter.
        log_sigma_mean, log_sigma_std: of ln(sigma / alpha), where it is normal; for EDM alpha is 1.
    """

    flip: bool = False
    prediction_type: Objective = "epsilon"
    residual: Literal["none", "velocity", "blend"] = "none"
    noise_levels: NoiseLevels = "uniform"
    log_sigma_mean: float = -1.2
    log_sigma_std: float = 1.2


def make_unet(image_shape: tuple[int, ...], **architecture: Any) -> nn.Module:
    """Build a diffusers UNet2DModel for images of shape (channel, height, width).

    Args:
        image_shape: of the images; square.
        architecture: `block_out_channels`, `layers_per_block`, `attention_levels` (how many of the deepest
            levels attend), `attention_head_dim`, `norm_num_groups`.
    """
    from diffusers.models.unets.unet_2d import UNet2DModel

    widths = tuple(architecture["block_out_channels"])
    attending = architecture["attention_levels"]
    kinds = ["" if level < len(widths) - attending else "Attn" for level in range(len(widths))]
    return UNet2DModel(
        sample_size=image_shape[1],
        in_channels=image_shape[0],
        out_channels=image_shape[0],
        block_out_channels=widths,
        layers_per_block=architecture["layers_per_block"],
        down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
        up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
        attention_head_dim=architecture["attention_head_dim"],
        norm_num_groups=architecture["norm_num_groups"],
    )


def stratified(size: int, generator: torch.Generator) -> Tensor:
    """Draw one number in each of `size` equal parts of [0, 1), with a common offset, shape (sample,)."""
    offset = torch.rand(1, generator=generator)
    return (torch.arange(size) + offset) / size


def draw(images: Tensor, schedule: Any, recipe: Recipe, step: int) -> TrainingBatch:
    """Draw noisy images, their times and the network's targets at one step; a function of (seed, step).

    Args:
        images: bytes, shape (sample, channel, height, width), uint8.
        schedule: diffusers scheduler of the network's kind (`objectives.make_schedule`).
        recipe: batch size, seed, prediction type.
        step: of the training.
    """
    generator, size = recipe.generator(step), recipe.batch_size
    clean = images[torch.randint(len(images), (size,), generator=generator)].float() / 127.5 - 1.0
    if recipe.flip:
        mirrored = torch.rand(size, generator=generator) < 0.5
        clean = torch.where(mirrored[:, None, None, None], clean.flip(-1), clean)
    quantiles = stratified(size, generator)
    noise = torch.randn(clean.shape, generator=generator)
    return _batch(clean, noise, quantiles, schedule, recipe)


def _batch(clean: Tensor, noise: Tensor, quantiles: Tensor, schedule: Any, recipe: Recipe) -> TrainingBatch:
    """Compute the training batch of the recipe's objective and distribution of noise levels."""
    kind, spread = recipe.prediction_type, (recipe.log_sigma_mean, recipe.log_sigma_std)
    if kind == "edm":
        return objectives.preconditioned(clean, noise, quantiles, schedule, *spread)
    fractions = quantiles
    if recipe.noise_levels == "lognormal":
        fractions = objectives.time_fractions(objectives.lognormal(quantiles, *spread), kind, schedule)
    if kind == "flow":
        return objectives.straight(clean, noise, fractions, schedule)
    return objectives.variance_preserving(clean, noise, fractions, schedule, kind)


@torch.no_grad()
def held_out_loss(network: nn.Module, images: Tensor, schedule: Any, recipe: Recipe, batches: int = 16) -> float:
    """Compute the loss on times and noise that no training draws; the images may be training images.

    Args:
        network: called as `network(x, time).sample`.
        images: bytes, shape (sample, channel, height, width), uint8.
        schedule: diffusers scheduler of the network's kind.
        recipe: batch size and prediction type; its seed is not used.
        batches: how many to average over.
    """
    unseen, device = replace(recipe, seed=_HELD_OUT), next(network.parameters()).device
    losses = []
    for number in range(batches):
        noisy, times, target = (part.to(device) for part in draw(images, schedule, unseen, number))
        losses.append(float(nn.functional.mse_loss(network(noisy, times).sample, target)))
    return float(np.mean(losses))


class TrainingLoop(ABC):
    """Training of a network; `run` ends with the averaged weights. A subclass computes the loss of a step.

    Args:
        network: trained in place.
        recipe: how to train.
        device: where to train.

    Attributes:
        snapshots: averaged weights after the recipe's steps that have passed, keys `STEP/NAME`.
    """

    def __init__(self, network: nn.Module, recipe: OptimizerRecipe, device: torch.device) -> None:
        self.network = network.to(device).train()
        self.recipe, self.device = recipe, device
        self.average = {key: value.detach().clone() for key, value in network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, foreach=True
        )
        self.step = 0
        self.losses = np.zeros(recipe.steps, np.float32)
        self.snapshots: dict[str, Tensor] = {}

    @abstractmethod
    def loss(self) -> Tensor:
        """Compute the loss of the step `self.step`, a scalar; what it draws is a function of (seed, step)."""

    def advance(self) -> float:
        """Take one optimizer step and return its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.step)
        loss = self.loss()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self._average()
        self.losses[self.step] = value = float(loss.detach())
        self.step += 1
        if self.step in self.recipe.snapshots:
            young = {key: tensor.to("cpu", copy=True) for key, tensor in self.average.items()}
            self.snapshots |= checkpoints.flatten(str(self.step), young)
        return value

    @torch.no_grad()
    def _average(self) -> None:
        now = self.network.state_dict()
        average = get_ema_multi_avg_fn(self.recipe.decay(self.step))
        average(list(self.average.values()), [now[key] for key in self.average], None)

    def tensors(self) -> dict[str, Tensor]:
        """Return everything needed to continue from here."""
        return {
            **checkpoints.flatten("network", self.network.state_dict()),
            **checkpoints.flatten("average", self.average),
            **checkpoints.flatten("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
            **checkpoints.flatten("snapshots", self.snapshots),
            "losses": torch.from_numpy(self.losses),
            "step": torch.tensor(self.step),
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state from which `tensors` was taken."""
        self.network.load_state_dict(checkpoints.unflatten("network", tensors))
        average = checkpoints.unflatten("average", tensors)
        self.average = {key: value.to(self.device) for key, value in average.items()}
        checkpoints.load_optimizer(self.optimizer, checkpoints.unflatten("optimizer", tensors))
        self.snapshots = checkpoints.unflatten("snapshots", tensors)
        self.losses, self.step = tensors["losses"].numpy().copy(), int(tensors["step"])

    def run(
        self, checkpoint: Path, run: str, seconds: float = 30.0, every: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Train to the end, from a checkpoint of the same run if there is one, and load the averaged weights.

        Args:
            checkpoint: file of the checkpoint; removed by the caller after the results are saved.
            run: digest of all that determines the run; a checkpoint of another run is ignored.
            seconds: between two checkpoints.
            every: called with each finished step.

        Returns:
            the loss of every step, shape (step,).

        Raises:
            FloatingPointError: the loss is not finite.
        """
        if earlier := checkpoints.read(checkpoint, run):
            self.restore(earlier)
            log.info("resuming at step %d of %d from %s", self.step, self.recipe.steps, checkpoint)
        meter.plan(steps=self.recipe.steps - self.step)
        saved = time.monotonic()
        with tqdm(total=self.recipe.steps, initial=self.step, desc="training", unit="step", mininterval=2) as bar:
            while self.step < self.recipe.steps:
                with meter.training_step():
                    loss = self.advance()
                if not np.isfinite(loss):
                    raise FloatingPointError(
                        f"the loss is {loss} at step {self.step}; lower denoiser.training.learning_rate in the study file"
                    )
                bar.update()
                bar.set_postfix(loss=f"{self.losses[max(self.step - 50, 0) : self.step].mean():.4f}", refresh=False)
                if every:
                    every(self.step)
                if time.monotonic() - saved > seconds:
                    checkpoints.write(checkpoint, self.tensors(), run)
                    saved = time.monotonic()
        self.network.load_state_dict(self.average)
        self.network.eval()
        return self.losses


class Trainer(TrainingLoop):
    """Training of a denoising network on images.

    Args:
        network: called as `network(x, time).sample`; trained in place.
        images: bytes, shape (sample, channel, height, width), uint8.
        schedule: diffusers scheduler with the noise schedule.
        recipe: how to train.
        device: where to train.
    """

    recipe: Recipe

    def __init__(self, network: nn.Module, images: Tensor, schedule: Any, recipe: Recipe, device: torch.device) -> None:
        super().__init__(network, recipe, device)
        self.images, self.schedule = images, schedule

    def loss(self) -> Tensor:
        """Compute the mean squared error on the targets of a batch."""
        noisy, times, target = (
            part.to(self.device) for part in draw(self.images, self.schedule, self.recipe, self.step)
        )
        return nn.functional.mse_loss(self.network(noisy, times).sample, target)
