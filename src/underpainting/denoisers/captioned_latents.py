"""Latents of captioned images, with the embeddings of their captions, for a regression on the text (`basis.prompts`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from underpainting.basis.prompts import CaptionedLatents
from underpainting.denoisers.latent_model import LatentModel

AT_ONCE = 64


def captioned_latents(model: LatentModel, images: Iterable[Tensor], captions: Sequence[str]) -> CaptionedLatents:
    """Encode images and their captions.

    Args:
        model: VAE and text encoder.
        images: batches in [-1, 1], each of shape (sample, channel, height, width).
        captions: one per image, in the same order; the different ones are embedded, before any image is read.

    Raises:
        InputError: a caption is longer than the text encoder knows.
        ValueError: numbers of images and captions, or the shape of the images and the model's, differ.
    """
    different = list(dict.fromkeys(captions))
    parts = (different[start : start + AT_ONCE] for start in range(0, len(different), AT_ONCE))
    embeddings = torch.cat([model.embed(part).cpu() for part in parts])
    latents = torch.cat([model.encode(batch).cpu() for batch in images])
    if len(latents) != len(captions):
        raise ValueError(f"{len(latents)} images do not fit {len(captions)} captions; give one per image")
    numbers = {caption: number for number, caption in enumerate(different)}
    return CaptionedLatents(latents, embeddings, torch.tensor([numbers[caption] for caption in captions]))
