"""The training loop of the networks that supply features: AdamW at a rate that rises and falls once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from underpainting import meter

Network = TypeVar("Network", bound=nn.Module)


def seeded(make: Callable[[], Network], seed: int) -> Network:
    """A network whose first weights are drawn from a seed; the global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def descend(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    chosen: Tensor,
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
) -> None:
    """Go through the chosen images so many times, each time in another order.

    Args:
        network: whose weights are trained; left in evaluation mode.
        loss: of the images with these numbers.
        chosen: numbers of the images, shape (sample,).
        epochs: passes through them.
        batch_size: images per step.
        generator: of the order.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    steps = epochs * -(-len(chosen) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    meter.plan(steps=steps)
    network.train()
    for _ in range(epochs):
        for batch in chosen[torch.randperm(len(chosen), generator=generator)].split(batch_size):
            with meter.training_step():
                optimizer.zero_grad()
                loss(batch).backward()
                optimizer.step()
                schedule.step()
    network.eval()
