"""The relative sampler with a basis of each class beside one of all images: `python -m benchmarks.class_bases`.

No class-conditional network ships, so that one of scikit-learn's digits is trained here. The measure is the root mean squared
distance, over images and pixels, from the network's own solution of the same noise and labels; the interval is that of the
ratio, from the same resamples of the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks.few_calls import CALLS
from benchmarks.optimal_grid import interval
from underpainting.basis.eigenbasis import basis_of_images
from underpainting.denoisers.folders import make_denoiser
from underpainting.noise.schedules import karras_grid, schedule_of
from underpainting.pipeline.class_conditional import LabelledNetwork
from underpainting.quality.reference_solution import solve, squared_errors
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.relative import Bases, ClassBases
from underpainting.samplers.walk import Sampler, sample
from underpainting.training import objectives

CLASSES = 10
BATCH = 64
VP = {"num_train_timesteps": 1000, "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}
HEADINGS = ("calls", "all images", "classes", "ratio", "95 %")


def digits() -> tuple[Tensor, Tensor]:
    """Images in [-1, 1], shape (sample, 1, 8, 8), and labels, shape (sample,)."""
    found = load_digits()
    return torch.from_numpy(found.images / 8.0 - 1.0).float()[:, None], torch.from_numpy(found.target)


def trained(images: Tensor, labels: Tensor, schedule: object, steps: int) -> nn.Module:
    """Train a class-conditional network; its weights are an exponential moving average."""
    torch.manual_seed(0)
    network = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
        norm_num_groups=8,
        num_class_embeds=CLASSES,
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    for _ in range(steps):
        chosen = torch.randint(len(images), (BATCH,))
        quantiles = (torch.arange(BATCH) + torch.rand(1)) / BATCH
        ratios = objectives.lognormal(quantiles, -0.5, 1.2)
        fractions = objectives.time_fractions(ratios, "v_prediction", schedule)
        noise = torch.randn(BATCH, *images.shape[1:])
        batch = objectives.variance_preserving(images[chosen], noise, fractions, schedule, "v_prediction")
        found = network(batch.inputs, batch.times, labels[chosen]).sample
        optimizer.zero_grad()
        nn.functional.mse_loss(found, batch.targets).backward()
        optimizer.step()
        falling.step()
        average.update_parameters(network)
    return average.module.eval()


def compare(
    images: Tensor, labels: Tensor, network: nn.Module, scheduler: object, count: int, fine: int
) -> Iterator[list[str]]:
    """Yield the row of each number of calls."""
    of_images = torch.arange(count) % CLASSES
    denoiser = make_denoiser(LabelledNetwork(network, of_images), scheduler)
    flat = images.double().flatten(1).numpy()
    all_images = basis_of_images(flat, images.shape[1:])
    of_classes = [basis_of_images(flat[labels.numpy() == label], images.shape[1:]) for label in range(CLASSES)]
    bases: tuple[Bases, Bases] = (all_images, ClassBases(all_images, of_classes, of_images))
    noise, start = initial_noise(range(count), images.shape[1:]), karras_grid(schedule_of(scheduler), 2)[0]
    solution = solve(denoiser, schedule_of(scheduler), noise * float(np.hypot(*start)), start, fine)
    for calls in CALLS:
        samplers = [Sampler("relative", calls, scheduler, basis) for basis in bases]
        one, other = (squared_errors(sample(it, denoiser, it.start(noise)), solution) for it in samplers)
        low, high = interval(other, one)
        means = [f"{np.sqrt(errors.mean()):.4f}" for errors in (one, other)]
        ratio = np.sqrt(other.mean() / one.mean())
        yield [str(calls), *means, f"{ratio:.3f}", f"{low:.3f} to {high:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=250, metavar="N")
    parser.add_argument("--steps", type=int, default=2000, metavar="N", help="of the training")
    parser.add_argument("--fine", type=int, default=64, metavar="N", help="steps of Heun's method for the solution")
    options = parser.parse_args()
    images, labels = digits()
    scheduler = objectives.make_schedule("v_prediction", VP, {})
    network = trained(images, labels, scheduler, options.steps)
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    with torch.inference_mode():
        for row in compare(images, labels, network, scheduler, options.images, options.fine):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
