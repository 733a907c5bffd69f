"""Snapshots of the paper's models as their repositories hold them, with random weights: layout, configuration, size.

The models of Google keep all files side by side, as the oldest DDPM repositories do; dimpo/ddpm-mnist has the folders of a
pipeline. What its configuration says is known here only from the size of its weights, which is that of the large models.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

SMALL, LARGE = (128, 256, 256, 256), (128, 128, 256, 256, 512, 512)


@dataclass(frozen=True)
class Snapshot:
    """A repository of the Hub.

    Attributes:
        size: height and width of the images.
        widths: channels of each level.
        attending: the level with self-attention.
        flat: whether all files lie side by side.
        parameters: of the network.
    """

    size: int
    widths: tuple[int, ...]
    attending: int
    flat: bool
    parameters: int


SNAPSHOTS = {
    "ddpm_mnist": Snapshot(32, LARGE, 4, False, 113_673_219),
    "ddpm_cifar10": Snapshot(32, SMALL, 1, True, 35_746_307),
    "ddpm_church": Snapshot(256, LARGE, 4, True, 113_673_219),
    "ddpm_celebahq": Snapshot(256, LARGE, 4, True, 113_673_219),
}


def configuration(name: str, narrower: int = 1) -> dict[str, Any]:
    """What config.json says of a model, with every width divided by `narrower`, 4 at most."""
    snapshot = SNAPSHOTS[name]
    kinds = ["Attn" if level == snapshot.attending else "" for level in range(len(snapshot.widths))]
    return {
        "sample_size": snapshot.size,
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": [width // narrower for width in snapshot.widths],
        "layers_per_block": 2,
        "down_block_types": [f"{kind}DownBlock2D" for kind in kinds],
        "up_block_types": [f"{kind}UpBlock2D" for kind in reversed(kinds)],
        "attention_head_dim": None,
        "norm_num_groups": 32,
        "norm_eps": 1e-6,
        "downsample_padding": 0,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
        "time_embedding_type": "positional",
    }


def write(name: str, folder: Path, narrower: int = 1) -> Path:
    """A snapshot with random weights, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet2DModel(**configuration(name, narrower))
    flat = SNAPSHOTS[name].flat
    network.save_pretrained(folder if flat else folder / "unet", safe_serialization=True)
    schedule = DDPMScheduler(clip_sample=True, variance_type="fixed_large")
    schedule.save_pretrained(folder if flat else folder / "scheduler")
    return folder
