"""Training, saving and loading of the small networks that supply features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from underpainting import meter
from underpainting.io import tensor_files

Network = TypeVar("Network", bound=nn.Module)


class Trained(NamedTuple, Generic[Network]):
    """A trained network and its score on the held-out images.

    Attributes:
        network: the network, in evaluation mode.
        score: accuracy of a classifier; fraction of the pixels' variance that an autoencoder reconstructs.
    """

    network: Network
    score: float


def build_seeded(build: Callable[[], Network], seed: int) -> Network:
    """Build a network whose initial weights are drawn from a seed, without changing the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def train_epochs(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    indices: Tensor,
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
) -> None:
    """Train with AdamW and a one-cycle learning rate; each epoch visits the images in another order.

    Args:
        network: network to be trained, in place; left in evaluation mode.
        loss: maps the indices of a batch of images to its loss.
        indices: indices of the training images, shape (sample,).
        epochs: passes through the images.
        batch_size: images per step.
        generator: random generator of the order.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    steps = epochs * -(-len(indices) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    meter.plan(steps=steps)
    network.train()
    for _ in range(epochs):
        for batch in indices[torch.randperm(len(indices), generator=generator)].split(batch_size):
            with meter.training_step():
                optimizer.zero_grad()
                loss(batch).backward()
                optimizer.step()
                schedule.step()
    network.eval()


def save(trained: Trained[Any], path: str | Path, shape_key: str, score_key: str) -> None:
    """Write weights, shape and score as one safetensors file, the last two under the given keys."""
    about = {shape_key: asdict(trained.network.shape), score_key: trained.score}
    tensor_files.write(path, trained.network.state_dict(), about)


def load(
    path: str | Path, kind: str, shape_key: str, score_key: str, build: Callable[[dict[str, int]], Network]
) -> Trained[Network]:
    """Read a network written by `save`.

    Args:
        path: the file.
        kind: kind of network, for the message.
        shape_key, score_key: as given to `save`.
        build: builds the network from the fields of its shape.

    Raises:
        TensorFileError: the file is damaged, or holds another kind of network.
    """
    tensors, about = tensor_files.read(path)
    if not {shape_key, score_key} <= about.keys():
        raise tensor_files.TensorFileError(f"{path} holds no {kind}; delete it and run snakemake again")
    network = build(about[shape_key])
    network.load_state_dict(tensors)
    return Trained(network.eval(), about[score_key])
