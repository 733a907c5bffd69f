"""Settings for running networks: device, number format, compilation.

The format applies only within a network's call. Its inputs and outputs and the sampler's state are float32; the
theory is float64. Relative spacing of the formats: float32 2^-23; tf32 2^-10, inside products only; bfloat16 2^-7.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

log = logging.getLogger(__name__)

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "tf32", "bfloat16"]


class CompilationError(RuntimeError):
    """Error for a request of torch.compile where it does not work."""


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of a name; `auto` selects CUDA if available, else the CPU.

    Raises:
        ValueError: CUDA is requested but not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {name!r} was asked for, but torch sees no CUDA device; use auto or cpu")
    return torch.device(name)


@dataclass(frozen=True)
class Compute:
    """Settings for running a study's networks: the keys `device`, `precision` and `compile` of the study file.

    Attributes:
        device: auto selects CUDA if available.
        precision: number format of a network's call; tf32 is a format of CUDA devices and changes nothing on a CPU.
        compile: whether torch.compile is used.
    """

    device: DeviceName = "auto"
    precision: Precision = "float32"
    compile: bool = False

    def place(self, network: torch.nn.Module) -> torch.nn.Module:
        """Move the network to the device, in place, and set it to be compiled at its first call if requested.

        Raises:
            ValueError: CUDA is requested but not available.
        """
        device = pick_device(self.device)
        log.info("the network runs on %s", device)
        network.to(device)
        if self.compile:
            # one kernel for each batch size: results must not depend on the sizes of earlier batches
            network.compile(dynamic=False)
        return network

    @contextmanager
    def calling(self, device: torch.device) -> Iterator[None]:
        """Set the number format for one call of a network on `device`, and restore the previous one afterwards.

        Raises:
            CompilationError: torch.compile does not work here.
        """
        with _tensor_cores(device, self.precision == "tf32"), self._autocast(device):
            try:
                yield
            except Exception as error:
                if self.compile and _is_of_compiler(error):
                    raise CompilationError(
                        f"compile: true asks for torch.compile, which failed ({type(error).__name__}); on a CPU it needs a "
                        "C++ compiler (the variable CXX names one), on CUDA Triton: install it, or set compile: false in the "
                        "study file"
                    ) from error
                raise

    def _autocast(self, device: torch.device) -> Any:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


@contextmanager
def _tensor_cores(device: torch.device, allowed: bool) -> Iterator[None]:
    """Set whether CUDA multiplies float32 in TF32, which torch by default does in convolutions; restore afterwards."""
    if device.type != "cuda":
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def _is_of_compiler(error: Exception) -> bool:
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
