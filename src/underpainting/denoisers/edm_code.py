"""Networks of NVlabs' official EDM code, stored as tensors and constructor arguments without the code itself.

Such a network includes its preconditioning: it is called as `network(x, sigma)` and returns D(x; sigma), the endpoint
estimate (Karras et al. 2022, Eq. 7).
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from underpainting.denoisers import weights
from underpainting.denoisers.networks import NetworkDenoiser
from underpainting.io import third_party_code

MODULE = "training.networks"
CLASS_NAME = "OfficialNetwork"
CONFIG = "config.json"


class OfficialNetwork(nn.Module):
    """A network of the official code, and the configuration to build it again.

    Args:
        inner: the network.
        config: `class`, `init_args`, `init_kwargs`, `code` (digest), `in_channels`, `sample_size`.
    """

    def __init__(self, inner: nn.Module, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.inner, self.config = inner, dict(config)

    def forward(self, images: Tensor, sigmas: Tensor) -> Tensor:
        """Return D(x; sigma), shape (sample, channel, height, width)."""
        denoised: Tensor = self.inner(images, sigmas)
        return denoised

    def save_pretrained(self, folder: str | Path, **_: Any) -> None:
        """Write weights and configuration, as networks of diffusers do."""
        from underpainting.io.writing import write_json

        Path(folder).mkdir(parents=True, exist_ok=True)
        tensors = {key: value.detach().cpu().clone() for key, value in self.inner.state_dict().items()}
        save_file(tensors, Path(folder) / weights.FILE, {"format": "pt"})
        write_json({"_class_name": CLASS_NAME, **self.config}, Path(folder) / CONFIG)


def build_network(code: str | Path, config: Mapping[str, Any]) -> nn.Module:
    """Build a network of the official code, without loading its weights."""
    with third_party_code.importable(code):
        network: nn.Module = getattr(importlib.import_module(MODULE), config["class"])(
            *config["init_args"], **config["init_kwargs"]
        )
    return network


def load(folder: str | Path) -> OfficialNetwork:
    """Load a network that `OfficialNetwork.save_pretrained` wrote; its code is found by its digest.

    Raises:
        FileNotFoundError: no announced folder holds the code, or there are no weights.
        WeightsError: the weights are not those of the network.
    """
    config = json.loads((Path(folder) / CONFIG).read_text(encoding="utf-8"))
    del config["_class_name"]
    inner = build_network(third_party_code.find(config["code"]), config)
    weights.load_weights(inner, weights.read_weights(folder), folder)
    return OfficialNetwork(inner.float().requires_grad_(False), config)


class OfficialDenoiser(NetworkDenoiser):
    """A network that includes its preconditioning; levels outside [sigma_min, sigma_max] are clamped.

    Args:
        network: called as `network(x, sigma)`.
        sigma_min, sigma_max: range of levels that it was trained on.
        compute: settings of its calls.
    """

    def __init__(self, network: OfficialNetwork, sigma_min: float, sigma_max: float, compute: Any = None) -> None:
        super().__init__(network, compute)
        self.sigma_min, self.sigma_max = sigma_min, sigma_max

    def _output(self, images: Tensor, times: Tensor, *conditions: Tensor) -> Tensor:
        output: Tensor = self.network(images, times, *conditions)
        return output

    def _input_scales(self, ratio: float) -> tuple[float, float]:
        return 1.0, min(max(ratio, self.sigma_min), self.sigma_max)

    def _endpoint(self, scaled: Tensor, output: Tensor, ratio: float) -> Tensor:  # noqa: ARG002  all within the network
        return output
