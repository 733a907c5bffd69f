"""Out of memory: the batch is halved, and the result stays what it was."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import Tensor

from underpainting.denoisers.adaptive_batches import AdaptiveBatches, is_out_of_memory

ROOT = Path(__file__).parents[3]
REFUSED = "[enforce fail] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."

# Once with the memory there is, once with half of what that took: a real refusal, of a real network.
PROGRAM = """
    import logging, re, resource
    from pathlib import Path
    import torch
    from underpainting import denoisers
    from underpainting.denoisers.compute import Compute
    from underpainting.samplers.randomness import initial_noise

    def address_space(kind):
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(kind + r":\\s+(\\d+) kB", status)[1])

    logging.basicConfig(level=logging.WARNING)
    torch.set_num_threads(1)
    denoiser, _ = denoisers.load_denoiser("config/networks/mnist", Compute("cpu"))
    images = initial_noise(range(256), denoiser.image_shape)
    whole = denoiser(images, 0.6, 0.8)
    used = address_space("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (used + (address_space("VmPeak") - used) // 2, resource.RLIM_INFINITY))
    halved = denoiser(images, 0.6, 0.8)
    again = denoiser(images[:200], 0.6, 0.8)
    print(float((whole - halved).abs().max()), float((whole[:200] - again).abs().max()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit of the address space")
def test_a_network_that_is_refused_memory_goes_on_with_half_the_batch() -> None:
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        cwd=ROOT,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},  # what is freed goes back to the system at once
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "out of memory with batches of 256 images: going on with batches of 128" in told.stderr
    assert told.stderr.count("batches of 256") == 1, "later calls begin with the smaller batch"
    assert all(float(difference) < 1e-4 for difference in told.stdout.split())


def failing(error: Exception, most: int) -> tuple[AdaptiveBatches, list[int]]:
    """A function with room for `most` images, and the batches that it was given."""
    given: list[int] = []

    def double(images: Tensor, times: Tensor) -> Tensor:
        given.append(len(images))
        if len(images) > most:
            raise error
        return images * 2 + times

    return AdaptiveBatches(double), given


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(REFUSED),
        MemoryError(),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_every_kind_of_refusal_halves_until_it_fits_and_keeps_to_it(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    halving, given = failing(error, 3)
    images, times = torch.arange(10.0), torch.ones(10)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(halving(images, times), images * 2 + 1)
    assert given == [10, 5, 2, 2, 2, 2, 2]
    assert [record.args for record in caplog.records] == [(10, 5), (5, 2)]
    given.clear()
    assert torch.equal(halving(images[:3], times[:3]), images[:3] * 2 + 1)
    assert given == [2, 1]


def test_one_image_that_does_not_fit_is_an_error_with_a_remedy() -> None:
    halving, given = failing(torch.OutOfMemoryError("CUDA out of memory"), 0)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory") as caught:
        halving(torch.zeros(4), torch.zeros(4))
    assert given == [4, 2, 1]
    assert "not even one image fits into memory" in caught.value.__notes__[0]


def test_other_errors_are_let_through_at_once() -> None:
    halving, given = failing(RuntimeError("shapes do not match"), 0)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        halving(torch.zeros(4), torch.zeros(4))
    assert given == [4]
    assert not is_out_of_memory(ValueError(REFUSED))
