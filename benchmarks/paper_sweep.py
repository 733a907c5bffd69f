"""What the paper's own sweep costs, from measured network calls: `python -m benchmarks.paper_sweep`.

Table 5: Heun with 18 steps, 35 calls without a jump, 11 numbers of skipped steps, 50,000 images each. The network is
google/ddpm-cifar10-32's architecture with random weights (the paper's own, of Karras et al. 2022, is half as large
again). Its operations are counted by torch; the time of a call is compared with a bare matrix product of as many
operations (on CPUs with Winograd's convolutions, which take fewer, a call can be the faster one). GPU hours follow from
the operations and from what a device sustains.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import ratio, table
from tests.snapshots import write
from underpainting.denoisers import load_denoiser
from underpainting.denoisers.compute import Compute
from underpainting.samplers.randomness import initial_noise
from underpainting_workflow.studies import SamplerChoice, costs

NAME, BATCH = "ddpm_cifar10", 8
HEUN = SamplerChoice(name="heun", steps=18)
SKIPPED_STEPS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
IMAGES = 50_000
SUSTAINED = {"10 TFLOP/s (a consumer card, float32)": 10e12, "100 TFLOP/s (a data centre's card, bfloat16)": 100e12}
"""Examples of what a device sustains in this network; about a third of what its maker prints."""


def main() -> None:
    """Print calls, operations, core hours and GPU hours."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        denoiser, _ = load_denoiser(write(NAME, Path(folder)), Compute("cpu"))
    noise = initial_noise(range(BATCH), denoiser.image_shape)
    with FlopCounterMode(display=False) as counter:
        denoiser(noise, 0.6, 0.8)
    operations = counter.get_total_flops() / BATCH
    left, right = torch.randn(1024, 1024), torch.randn(1024, round(operations * BATCH / 2 / 1024**2))
    found = ratio(
        f"a call of {BATCH} images",
        lambda: denoiser(noise, 0.6, 0.8),
        "a matrix product of as many operations",
        lambda: left @ right,
        "about 1",
        pairs=3,
    )
    calls = IMAGES * sum(costs.calls(HEUN, skipped) for skipped in SKIPPED_STEPS)
    print(table([found]))
    print(f"{calls:,} calls of one image, {operations / 1e9:.2f} billion operations each")
    print(f"on this processor: {calls * found.ours / BATCH / 3600:,.0f} core hours")
    for device, speed in SUSTAINED.items():
        print(f"at {device}: {calls * operations / speed / 3600:.1f} GPU hours")


if __name__ == "__main__":
    main()
