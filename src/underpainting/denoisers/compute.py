"""How networks are run: on which device, in which number format, compiled or not.

The format concerns a network's call alone. What goes in and what comes out is float32, and so is the sampler's state; the theory
is float64. Relative spacing of the formats: float32 2^-23; tf32 2^-10, inside products only; bfloat16 2^-7.
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
    """torch.compile was asked for and does not work here."""


def pick_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA where there is one, else the CPU.

    Raises:
        ValueError: CUDA is asked for but not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {name!r} was asked for, but torch sees no CUDA device; use auto or cpu")
    return torch.device(name)


@dataclass(frozen=True)
class Compute:
    """A study's choice of how its networks are run; the keys `device`, `precision` and `compile` of the study file.

    Attributes:
        device: auto takes CUDA where there is one.
        precision: number format of a network's call; tf32 is a format of CUDA devices and changes nothing on a CPU.
        compile: whether torch.compile is used.
    """

    device: DeviceName = "auto"
    precision: Precision = "float32"
    compile: bool = False

    def place(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network on the device, in place; compiled at its first call, if it is to be.

        Raises:
            ValueError: CUDA is asked for but not there.
        """
        device = pick_device(self.device)
        log.info("the network runs on %s", device)
        network.to(device)
        if self.compile:
            # one kernel for each size of batch: bytes must not depend on which sizes came before
            network.compile(dynamic=False)
        return network

    @contextmanager
    def calling(self, device: torch.device) -> Iterator[None]:
        """The circumstances of one call of a network on `device`; those of before come back.

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
    """Whether CUDA may multiply float32 in TF32; torch allows it in convolutions by default, we only where it is asked for."""
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
