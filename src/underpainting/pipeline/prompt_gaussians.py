"""Where a text-to-image pipeline has the Gaussian under its prompts from: a basis file of known prompts, or a regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from underpainting.basis import prompts
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.prompts import PromptGaussians
from underpainting.basis.stored import BasisFileError, LatentSpace, StoredBasis, load_basis, require_space
from underpainting.io.tensor_files import TensorFileError
from underpainting.pipeline.basis import TeleportBasis

Embed = Callable[[Sequence[str]], Tensor]
LatentBasis = str | Path | StoredBasis | TeleportBasis | PromptGaussians
SAME = 0.01
"""Largest difference of the embeddings of one prompt, by rounding in half precision; those of two prompts differ by about 1."""


@dataclass(frozen=True)
class KnownPrompts:
    """The Gaussians of a basis file of latents: one for any prompt, or one for each prompt of its card.

    Attributes:
        stored: basis of latents.
        embed: computes the text embeddings of prompts.
    """

    stored: StoredBasis
    embed: Embed

    def gaussian_for(self, embeddings: Tensor) -> list[Eigenbasis]:
        """Return the Gaussian of each prompt, found by its embedding.

        Args:
            embeddings: shape (prompt, token, feature).

        Raises:
            ValueError: the file is of some prompts alone, and a prompt is none of them.
        """
        names = _space_of(self.stored).prompts
        if not names:
            return [self.stored.all_images] * len(embeddings)
        bases, known = self.stored.classes or (self.stored.all_images,), self.embed(names).to(embeddings)
        return [bases[self._number(one, known, names)] for one in embeddings]

    def _number(self, embedding: Tensor, known: Tensor, names: Sequence[str]) -> int:
        differences = (known - embedding).abs().flatten(1).amax(1)
        if float(differences.min()) > SAME:
            shown = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise ValueError(
                f"the basis has the Gaussian of latents under {shown}, and of no other prompt; make one for this prompt with "
                "`underpainting basis --pipeline`, for any prompt with --captions, or sample with skipped_fraction=0"
            )
        return int(differences.argmin())


@dataclass(frozen=True)
class ReadBasis:
    """Gaussians of latents with what is known of the latents.

    Attributes:
        gaussians: of prompts.
        space: of the latents; None if not known, for Gaussians that no file says it of.
        latent_shape: (channel, height, width); None if not known.
        stored: the basis with its card, if that is where the Gaussians come from.
    """

    gaussians: PromptGaussians
    space: LatentSpace | None = None
    latent_shape: tuple[int, ...] | None = None
    stored: StoredBasis | None = None


def read(basis: LatentBasis, embed: Embed) -> ReadBasis:
    """Read Gaussians of latents in any of their forms.

    Args:
        basis: a file of `underpainting basis`, its content, or any object that has `gaussian_for`.
        embed: computes the text embeddings of prompts.

    Raises:
        BasisFileError: a file is no basis, or one of pixels.
    """
    if isinstance(basis, str | Path):
        return _read_file(Path(basis), embed)
    stored = basis.stored if isinstance(basis, TeleportBasis) else basis
    if not isinstance(stored, StoredBasis):
        return ReadBasis(stored)
    require_space(stored.card, "latents", "basis")
    return ReadBasis(KnownPrompts(stored, embed), _space_of(stored), stored.card.image_shape, stored)


def _read_file(path: Path, embed: Embed) -> ReadBasis:
    try:
        regression, about = prompts.load(path)
    except TensorFileError:  # not a regression; the other reader names what is wrong
        return read(load_basis(path, "latents"), embed)
    return ReadBasis(regression, _space_in(about, path), regression.residual.image_shape)


def _space_in(about: dict[str, Any], path: Path) -> LatentSpace:
    try:
        found = about["latents"]
        return LatentSpace(float(found["scaling_factor"]), str(found["vae_digest"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BasisFileError(
            f"{path}: does not say of which latents it is; make it again with `underpainting basis`"
        ) from error


def _space_of(stored: StoredBasis) -> LatentSpace:
    assert stored.card.latents is not None
    return stored.card.latents
