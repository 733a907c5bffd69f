"""Nodes of ComfyUI, by the interface of its own nodes: NOISE, SIGMAS, and a model's `model_sampling`.

ComfyUI is no package that can be installed. Its two rules for the state that a sampler begins with are written here as its
`comfy/model_sampling.py` has them (EPS and CONST); with a checkout in the environment variable COMFYUI, they are its own.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from underpainting.basis import stationary
from underpainting.basis.stationary import StationaryBasis
from underpainting.noise.levels import NoiseLevel
from underpainting.samplers.optimal_grid import loss
from underpainting.theory import gaussian

FOLDER = Path(__file__).parents[2] / "integrations/comfyui"
SIGMAS = {"EPS": [14.6, 8.0, 4.0, 1.0, 0.3, 0.0], "CONST": [1.0, 0.9, 0.7, 0.4, 0.1, 0.0]}
SHAPE = (2, 4, 12, 10)


class EPS:
    """Networks of noise or velocity: states x / alpha."""

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        return noise * (torch.sqrt(1.0 + sigma**2.0) if max_denoise else sigma) + latent_image


class CONST:
    """Networks of flow matching."""

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:  # noqa: ARG002
        return sigma * noise + (1.0 - sigma) * latent_image


class Noise:
    """ComfyUI's Noise_RandomNoise."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generate_noise(self, input_latent: dict[str, Any]) -> Tensor:
        return torch.randn(input_latent["samples"].shape, generator=torch.Generator().manual_seed(self.seed))


class Model:
    """A ModelPatcher, as far as nodes of sampling use it."""

    def __init__(self, kind: str) -> None:
        self._sampling = rule(kind)
        self._sampling.sigma_max, self._sampling.sigma_min = torch.tensor(SIGMAS[kind][0]), torch.tensor(0.03)

    def get_model_object(self, name: str) -> Any:
        assert name == "model_sampling"
        return self._sampling


def rule(kind: str) -> Any:
    """ComfyUI's class of that name, or the one above."""
    if "COMFYUI" in os.environ:
        sys.path.insert(0, os.environ["COMFYUI"])
        return getattr(importlib.import_module("comfy.model_sampling"), kind)()
    return {"EPS": EPS, "CONST": CONST}[kind]()


@pytest.fixture(scope="module")
def nodes() -> ModuleType:
    """The folder as ComfyUI imports it: by its path, under a name of its own."""
    spec = importlib.util.spec_from_file_location("custom_nodes_underpainting", FOLDER / "__init__.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def basis() -> StationaryBasis:
    noise = torch.randn(50, 4, 12, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return stationary.fit([noise + 0.9 * noise.roll(1, 3) + 0.4], {})


@pytest.fixture
def file(basis: StationaryBasis, tmp_path: Path) -> str:
    stationary.save(basis, tmp_path / "latents.safetensors")
    return str(tmp_path / "latents.safetensors")


def test_every_node_says_what_comfyui_asks(nodes: ModuleType) -> None:
    assert nodes.NODE_CLASS_MAPPINGS.keys() == nodes.NODE_DISPLAY_NAME_MAPPINGS.keys()
    for node in nodes.NODE_CLASS_MAPPINGS.values():
        required = node.INPUT_TYPES()["required"]
        assert all(isinstance(kind, tuple) for kind in required.values())
        assert hasattr(node, node.FUNCTION) and node.CATEGORY
        assert set(node.RETURN_TYPES) <= {"NOISE", "SIGMAS"}


@pytest.mark.parametrize("kind", ["EPS", "CONST"])
def test_the_sampler_begins_where_the_closed_form_leads(
    nodes: ModuleType, kind: str, basis: StationaryBasis, file: str
) -> None:
    model, sigmas, latent = Model(kind), torch.tensor(SIGMAS[kind]), {"samples": torch.zeros(SHAPE)}
    noise, left = nodes.TeleportNoise().carry(model, Noise(7), sigmas, file, 2)
    assert noise.seed == 7 and torch.equal(left, sigmas[2:])
    sampling, white = model.get_model_object("model_sampling"), Noise(7).generate_noise(latent)
    begun = sampling.noise_scaling(left[:1], noise.generate_noise(latent), latent["samples"])
    first = sampling.noise_scaling(sigmas[:1], white, latent["samples"], max_denoise=True)
    here, there = (
        NoiseLevel(1.0, float(one)) if kind == "EPS" else NoiseLevel(1.0 - float(one), float(one))
        for one in (sigmas[0], left[0])
    )
    assert torch.allclose(begun, gaussian.state(basis.at(*SHAPE[2:]), first, here, there), atol=2e-5)


def test_no_step_skipped_changes_nothing_and_wrong_use_is_refused(nodes: ModuleType, file: str) -> None:
    node, noise, sigmas = nodes.TeleportNoise(), Noise(7), torch.tensor(SIGMAS["EPS"])
    assert node.carry(Model("EPS"), noise, sigmas, file, 0) == (noise, sigmas)
    with pytest.raises(ValueError, match="5 of 5 steps cannot be skipped"):
        node.carry(Model("EPS"), noise, sigmas, file, 5)
    with pytest.raises(ValueError, match="no file of a stationary basis"):
        node.carry(Model("EPS"), noise, sigmas, "nothing.safetensors", 2)
    carried, _ = node.carry(Model("EPS"), noise, sigmas, file, 2)
    with pytest.raises(ValueError, match="the latent has the shape"):
        carried.generate_noise({"samples": torch.zeros(1, 4, 1, 8, 8)})
    with pytest.raises(ValueError, match="connect an empty latent"):
        carried.generate_noise({"samples": torch.ones(SHAPE)})


@pytest.mark.parametrize("kind", ["EPS", "CONST"])
def test_the_grid_loses_less_than_even_steps(nodes: ModuleType, kind: str, basis: StationaryBasis, file: str) -> None:
    (sigmas,) = nodes.BasisGrid().choose(Model(kind), file, "euler", 6)
    found = sigmas.double()
    assert found[0] == torch.tensor(SIGMAS[kind][0]) and found[-1] == 0 and (found.diff() < 0).all()
    even = torch.linspace(float(found[0]), 0.0, 7, dtype=torch.float64)
    ratios = [(one if kind == "EPS" else one / (1 - one).clamp(min=1e-3)).numpy() for one in (found, even)]
    chosen, usual = (loss(basis.at(12, 10).variances, one) for one in ratios)
    assert chosen < 0.9 * usual
