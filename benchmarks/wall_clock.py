"""Wall-clock beside NFE: `python -m benchmarks.wall_clock results/STUDY`.

What images of a built study take at ten network calls, without a jump and after the jumps by Gaussian and mixture, as a
ratio to as many bare calls of the same network on the same images; both in turn. Beside a sampler's own arithmetic the ratio
holds what a jump costs: what it would have to save, for calls to be the right measure.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from benchmarks.measure import Ratio, ratio, table
from underpainting.basis import eigenbasis
from underpainting.denoisers import CountingDenoiser, load_denoiser
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.networks import NetworkDenoiser
from underpainting.noise import schedules
from underpainting.samplers import registry
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample
from underpainting.teleport import hybrid_sampler, jumps
from underpainting.theory import mixtures

BUDGET, START = 10, 0.4
SAMPLERS = "ddim", "heun", "dpmsolverpp", "unipc"
SCHEDULER = "scheduler/scheduler_config.json"


def known_jumps(study: Path) -> dict[str, jumps.Jump | None]:
    """No jump, the Gaussian, and the mixture where the study has one."""
    found: dict[str, jumps.Jump | None] = {"no jump": None}
    found["Gaussian"] = jumps.GaussianJump(eigenbasis.load(study / "eigenbasis.zarr.zip"))
    if (file := study / "mixture.zarr.zip").is_file():
        found["mixture"] = jumps.FlowJump(mixtures.MixtureDenoiser(mixtures.load(file)))
    return found


def bare(denoiser: NetworkDenoiser, noise: torch.Tensor, calls: int) -> None:
    """So many calls of the network itself."""
    times = torch.full((len(noise),), 500.0, device=denoiser.device)
    images = noise.to(denoiser.device, denoiser.dtype)
    with torch.inference_mode():
        for _ in range(calls):
            denoiser.network(images, times)


def generate(
    sampler: Sampler,
    denoiser: CountingDenoiser | NetworkDenoiser,
    noise: torch.Tensor,
    jump: jumps.Jump | None,
    schedule: schedules.Schedule,
) -> None:
    """Images from noise, by a jump where there is one."""
    with torch.inference_mode():
        start = START if jump else 1.0
        sample(sampler, denoiser, hybrid_sampler.state_at_time(jump, schedule, noise, start), seeds=range(len(noise)))


def measured(study: Path, name: str, batch: int, pairs: int) -> list[Ratio]:
    """The ratios of one sampler, in milliseconds per image."""
    denoiser, _ = load_denoiser(study / "denoiser", Compute("cpu"))
    schedule = schedules.load_schedule(study / "denoiser" / SCHEDULER)
    noise, steps, rows = initial_noise(range(batch), denoiser.image_shape), registry.steps_within(name, BUDGET), []
    for way, jump in known_jumps(study).items():
        sampler = hybrid_sampler.regridded(name, schedule, steps, START if jump else 1.0)
        counting = CountingDenoiser(denoiser)
        generate(sampler, counting, noise, jump, schedule)
        ours = partial(generate, sampler, denoiser, noise, jump, schedule)
        label = f"{registry.SAMPLERS[name].label}, {way}"
        peer = f"{counting.calls} network calls"
        found = ratio(label, ours, peer, partial(bare, denoiser, noise, counting.calls), "-", pairs=pairs)
        each = 1000 / batch
        rows.append(replace(found, ours=each * found.ours, reference=each * found.reference, unit="ms per image"))
    return rows


def main() -> None:
    """Print the table of a study."""
    parser = argparse.ArgumentParser(description="Wall-clock of samplers and jumps against bare network calls.")
    parser.add_argument("study", type=Path, help="folder of a built study, results/STUDY")
    parser.add_argument("--batch", type=int, default=64, help="images at once")
    parser.add_argument("--pairs", type=int, default=5, help="repetitions")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{given.study.name}, {given.batch} images at once, one thread; jumps over {1 - START:.0%} of the time\n")
    print(table([row for name in SAMPLERS for row in measured(given.study, name, given.batch, given.pairs)]))


if __name__ == "__main__":
    main()
