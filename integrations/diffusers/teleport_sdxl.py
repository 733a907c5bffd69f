"""Community pipeline: SDXL with a jump over its first steps, by the stationary Gaussian of the latents.

    pip install underpainting
    underpainting basis IMAGES --vae FOLDER --stationary --size 1024 --resize crop -o latents.safetensors

    pipe = DiffusionPipeline.from_pretrained(MODEL, custom_pipeline="teleport_sdxl.py")
    images = pipe("a lighthouse", num_inference_steps=30, basis="latents.safetensors", skipped_fraction=0.4).images

Without `basis` it is StableDiffusionXLPipeline. For the relative sampler no pipeline is needed:

    pipe.scheduler = RelativeScheduler.from_config(pipe.scheduler.config, basis="latents.safetensors")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor

from underpainting.basis.stationary import StationaryBasis
from underpainting.pipeline.designs import SKIPPED_FRACTION, steps_of
from underpainting.pipeline.modular import read_basis, require_vae
from underpainting.pipeline.shortened import ShortenedScheduler
from underpainting.teleport.jumps import StationaryJump


class TeleportStableDiffusionXLPipeline(StableDiffusionXLPipeline):  # type: ignore[misc]  # diffusers has no types
    """StableDiffusionXLPipeline whose first steps a jump can replace."""

    scheduler: Any

    @torch.no_grad()
    def __call__(
        self,
        *given: Any,
        num_inference_steps: int = 50,
        basis: StationaryBasis | str | Path | None = None,
        skipped_fraction: float = SKIPPED_FRACTION,
        **options: Any,
    ) -> Any:
        """Make images of prompts.

        Args:
            given: as for StableDiffusionXLPipeline.
            num_inference_steps: steps of the scheduler, including those that are skipped.
            basis: stationary Gaussian of the latents, or the path of its file; None for no jump.
            skipped_fraction: fraction of the steps, in [0, 1), rounded down, that the jump replaces.
            options: as for StableDiffusionXLPipeline.

        Raises:
            ValueError: the basis is not one of this model's latents, the fraction is out of range, or the scheduler cannot begin
                later.
        """
        own, skipped, jump = self.scheduler, 0, None
        levels = next((options[name] for name in ("timesteps", "sigmas") if options.get(name) is not None), None)
        steps = num_inference_steps if levels is None else len(levels)
        if basis is not None:
            found = read_basis(basis)
            require_vae(found, self.vae)
            jump, skipped = StationaryJump(found), steps_of(skipped_fraction, steps)
        self.scheduler = ShortenedScheduler(own, skipped, jump)
        try:
            return super().__call__(*given, num_inference_steps=num_inference_steps, **options)
        finally:
            self.scheduler = own

    def prepare_latents(self, *given: Any, **options: Any) -> Tensor:
        """Prepare the state at the first step that is left: the initial noise, carried there by the jump."""
        state: Tensor = super().prepare_latents(*given, **options)
        return self.scheduler.start(state) if isinstance(self.scheduler, ShortenedScheduler) else state
