"""How networks are run: devices, number formats, compilation; on a CPU, but with real networks and a real compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from underpainting import denoisers
from underpainting.denoisers.compute import Compute, pick_device
from underpainting.noise.levels import training_grid, vp_level
from underpainting.samplers.randomness import initial_noise

SHIPPED = Path(__file__).parents[3] / "config/networks/mnist"
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_cuda_is_refused_where_there_is_none() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert pick_device("auto") == CPU
    with pytest.raises(ValueError, match="no CUDA device"):
        pick_device("cuda")
    with pytest.raises(ValueError, match="no CUDA device"):
        Compute("cuda").place(torch.nn.Identity())


def tensor_cores() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("precision", "allowed"), [("float32", False), ("tf32", True)])
def test_tf32_is_allowed_on_cuda_where_it_is_asked_for_and_only_during_the_call(precision: str, allowed: bool) -> None:
    before = tensor_cores()
    with Compute(precision=precision).calling(CUDA):  # type: ignore[arg-type]
        assert tensor_cores() == (allowed, allowed)
    assert tensor_cores() == before
    with Compute(precision=precision).calling(CPU):  # type: ignore[arg-type]
        assert tensor_cores() == before


def endpoints(compute: Compute, ratio: float) -> Tensor:
    denoiser, _ = denoisers.load_denoiser(SHIPPED, compute)
    return denoiser(initial_noise(range(2), denoiser.image_shape), *vp_level(ratio))


@pytest.mark.parametrize("ratio", [0.5, 50.0])
def test_a_trained_network_in_bfloat16_errs_within_the_stated_tolerance(ratio: float) -> None:
    exact, rounded = endpoints(Compute("cpu"), ratio), endpoints(Compute("cpu", "bfloat16"), ratio)
    assert rounded.dtype == torch.float32
    assert 1e-5 < (exact - rounded).abs().max() < 0.05  # docs/reproducibility.md states both
    assert (exact - rounded).square().mean().sqrt() < 0.01


def test_tf32_changes_nothing_on_a_cpu() -> None:
    assert torch.equal(endpoints(Compute("cpu"), 1.0), endpoints(Compute("cpu", "tf32"), 1.0))


class Pointwise(torch.nn.Module):
    """A network of one weight, which compiles fast."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, images: Tensor, times: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=(images * self.weight + times[:, None, None, None] / 1000).tanh())


def one_weight(compute: Compute) -> denoisers.DiffusersDenoiser:
    return denoisers.DiffusersDenoiser(compute.place(Pointwise()), training_grid(DDIMScheduler()), compute=compute)


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_and_takes_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
        pytest.skip("this machine has no C++ compiler, which torch.compile needs on a CPU")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    plain, compiled = one_weight(Compute("cpu")), one_weight(Compute("cpu", compile=True))
    images = initial_noise(range(2), (1, 4, 4))
    for weight in (0.5, -2.0):
        for denoiser in (plain, compiled):
            denoiser.network.load_state_dict({"weight": torch.tensor(weight)})
        torch.testing.assert_close(compiled(images, 0.6, 0.8), plain(images, 0.6, 0.8), rtol=0, atol=1e-5)
    assert list(tmp_path.rglob("*.cpp")), "nothing was compiled"


@pytest.mark.slow
def test_without_a_compiler_the_key_is_named(tmp_path: Path) -> None:
    program = """
        from tests.underpainting.denoisers.test_compute import Compute, initial_noise, one_weight
        one_weight(Compute("cpu", compile=True))(initial_noise([0], (1, 4, 4)), 0.6, 0.8)
    """
    variables = {"CXX": str(tmp_path / "no-compiler"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "CompilationError: compile: true" in told.stderr
    assert "set compile: false in the study file" in told.stderr
