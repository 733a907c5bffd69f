"""Calls a network on a batch of images, and halves the batch when memory runs out.

A network treats the images of a batch one by one, so the parts together give the result of the complete batch, up to
rounding.

On a CPU torch only notices when the system refuses memory (`ulimit -v`, no overcommitment). Where the kernel, or a
cluster's limit for a job, kills the process instead, nothing can be caught: `batch_size` must fit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

log = logging.getLogger(__name__)

_REMEDY = "not even one image fits into memory: give the job more, or run on another device"
_REFUSALS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "std::bad_alloc",
    "could not create a primitive",  # oneDNN's only message when memory runs out
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error reports that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _REFUSALS)


class AdaptiveBatches:
    """A function of images and what belongs to each of them, called on as many images at once as fit into memory.

    Args:
        function: from images, shape (sample, ...), and any further tensors with one entry per image, such as times or class
            labels, to outputs, shape (sample, ...).

    Attributes:
        most: largest number of images per call, once memory has run out; None before.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self._function = function
        self.most: int | None = None

    def __call__(self, images: Tensor, *others: Tensor) -> Tensor:
        while True:
            size = min(self.most or len(images), len(images))
            try:
                return self._in_parts((images, *others), size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if size <= 1:
                    error.add_note(_REMEDY)
                    raise
            # outside the except block, since the error refers to the tensors of the failed call
            self._halve(size, images.device)

    def _in_parts(self, inputs: tuple[Tensor, ...], size: int) -> Tensor:
        if size == len(inputs[0]):
            return self._function(*inputs)
        parts = zip(*(one.split(size) for one in inputs), strict=True)
        return torch.cat([self._function(*part) for part in parts])

    def _halve(self, size: int, device: torch.device) -> None:
        self.most = size // 2
        if device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning("out of memory with batches of %d images: going on with batches of %d", size, self.most)
