"""`python -m benchmarks.stationary`: a jump of large latents by a stationary basis, on one thread.

Beside one real Fourier transform each way of the same latents in the same precision, which no way through frequencies can do
without; and the time itself beside the bound of 50 ms. Latents of SDXL (4 channels) and of Stable Diffusion 3 and Flux (16), at
1,024 x 1,024 pixels.
"""

from __future__ import annotations

import torch

from benchmarks.measure import Ratio, print_each, ratio
from underpainting.basis import stationary
from underpainting.noise.levels import vp_level
from underpainting.theory import gaussian

SIDE, BOUND = 128, 0.050  # s


def jumps() -> list[Ratio]:
    """Rows for both numbers of channels."""
    rows = []
    for channels in (4, 16):
        latents = torch.randn(1, channels, SIDE, SIDE)
        basis = stationary.fit([torch.randn(64, channels, 32, 32)], {}).at(SIDE, SIDE)

        def jump(basis: stationary.SizedBasis = basis, latents: torch.Tensor = latents) -> None:
            gaussian.state(basis, latents, vp_level(14.6), vp_level(3.0))

        def transform(latents: torch.Tensor = latents) -> None:
            torch.fft.irfft2(torch.fft.rfft2(latents.double()), (SIDE, SIDE))

        name = f"jump of {channels} x {SIDE} x {SIDE} latents"
        beside = "a Fourier transform each way"
        found = ratio(name, jump, beside, transform, "none", pairs=25)
        rows += [found, within_bound(name, found.ours)]
    return rows


def within_bound(name: str, seconds: float) -> Ratio:
    """The median time of a jump as a share of the bound."""
    share = seconds / BOUND
    return Ratio(name, "50 ms", share, share, share, seconds, BOUND, "at most 1 for 4 channels")


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print_each({"jumps by a stationary basis": jumps})


if __name__ == "__main__":
    main()
