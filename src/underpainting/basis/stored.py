r"""Reads and writes a basis as one portable file, `basis.safetensors`: tensors and a card.

The card is JSON in the file's metadata, under the key `underpainting`. It holds the source, range and number of the
images and the digest of the tensors, so that a reader needs nothing else to accept or refuse a file. The tensors are
those of an `Eigenbasis`: mean (pixel), vectors (pixel, component), variances (component). Where each class has its
own Gaussian, the same with the prefix `class_` and a leading axis, class. The library computes in float64, whatever
type the file holds.

A basis of latents says so: its card holds the space of the latents, without which a card means pixels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.variances import FORMAT
from underpainting.io import tensor_files
from underpainting.io.conventions import IMAGE_RANGE, KEY
from underpainting.io.messages import describe_error
from underpainting.io.tensor_files import digest
from underpainting.io.writing import replacing

Precision = Literal["float64", "float32"]
Space = Literal["pixels", "latents", "any"]
_PARTS = ("mean", "vectors", "variances")
_REMEDY = "make the file again with `underpainting basis` or `underpainting.basis.stored.save_basis`"


class BasisFileError(ValueError):
    """Error for a file that is no usable basis; the message names the file and the remedy."""


@dataclass(frozen=True)
class LatentSpace:
    """Space of the latents of a basis, and their prompts.

    Attributes:
        scaling_factor: a latent is it times the VAE's own.
        vae_digest: SHA-256 of the VAE's weights (`denoisers.latent_model.LatentModel.vae_digest`).
        prompts: one per class, in their order, or the only one; empty for latents of any prompts.
    """

    scaling_factor: float
    vae_digest: str
    prompts: tuple[str, ...] = ()

    def require_same(self, scaling_factor: float, vae_digest: str, name: str) -> None:
        """Check that latents are those of a model.

        Raises:
            BasisFileError: its VAE or its scaling factor differ.
        """
        if (self.scaling_factor, self.vae_digest) != (scaling_factor, vae_digest):
            raise BasisFileError(
                f"{name}: a basis of latents of the VAE {self.vae_digest[:12]} with scaling factor {self.scaling_factor:g}, but "
                f"the model has the VAE {vae_digest[:12]} with {scaling_factor:g}; make a basis of this model's latents"
            )


@dataclass(frozen=True)
class Card:
    """Description of the images, method and variances of a basis.

    Attributes:
        source: the images, in words.
        image_shape: (channel, height, width).
        total_variance: trace of the covariance, in squared image units.
        class_variances: the same of each class; empty without classes.
        count: number of images; None if not known.
        method: how the basis was computed; empty if not known.
        data_digest: SHA-256 of the images; empty if not known.
        image_range: darkest and brightest value of the images, also of those behind latents.
        rank: number of components.
        explained_variance: fraction of the total variance within them.
        digest: SHA-256 of the tensors.
        check: SHA-256 of the rest of the card; empty in files of version 0.1.
        format: name and version of the format.
        latents: their space; None for pixels.
    """

    source: str
    image_shape: tuple[int, ...]
    total_variance: float
    class_variances: tuple[float, ...] = ()
    count: int | None = None
    method: str = ""
    data_digest: str = ""
    image_range: tuple[float, float] = IMAGE_RANGE
    rank: int = 0
    explained_variance: float = 1.0
    digest: str = ""
    check: str = ""
    format: str = FORMAT
    latents: LatentSpace | None = None

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Card:
        """Return the card from the dictionary that `content` returns, or from JSON of it."""
        found = _with_tuples(content)
        if found.get("latents") is not None:
            found["latents"] = LatentSpace(**_with_tuples(found["latents"]))
        return cls(**found)

    def content(self) -> dict[str, Any]:
        """Return the card as a dictionary that JSON can hold; one of pixels has no key `latents`."""
        return {key: value for key, value in asdict(self).items() if key != "latents" or value is not None}

    def checked(self) -> Card:
        """Return the card with its check."""
        plain = replace(self, check="")
        return replace(plain, check=tensor_files.digest({}, plain.content()))

    def text(self) -> str:
        """Return the card in Markdown, as published beside a basis on the Hub."""
        rows = [
            ("images", self.source),
            ("number of images", "not known" if self.count is None else f"{self.count:,}"),
            ("shape", " x ".join(map(str, self.image_shape)) + " (channel, height, width)"),
            ("range", f"{self.image_range[0]:g} to {self.image_range[1]:g}"),
            ("components", f"{self.rank}, with {self.explained_variance:.4%} of the variance"),
            ("classes with a Gaussian of their own", str(len(self.class_variances) or "none")),
            ("method", self.method or "not known"),
            ("SHA-256 of the images", self.data_digest or "not known"),
            ("SHA-256 of the tensors", self.digest),
        ]
        if self.latents is not None:
            rows += [
                ("latents of the VAE", self.latents.vae_digest),
                ("scaling factor", f"{self.latents.scaling_factor:g}"),
                ("prompts", ", ".join(map(repr, self.latents.prompts)) or "any"),
            ]
        kind = "images" if self.latents is None else "latents"
        head = f"Mean and principal axes of a set of {kind}, for jumping over the first steps of a diffusion sampler."
        table = "\n".join(f"| {name} | {value} |" for name, value in rows)
        return f"# Basis\n\n{head}\n\n| | |\n| --- | --- |\n{table}\n"


@dataclass(frozen=True)
class StoredBasis:
    """A basis with its card.

    Attributes:
        all_images: basis of all images.
        classes: basis of each class, all of one rank; empty if there are none.
        card: description of the bases.
    """

    all_images: Eigenbasis
    classes: tuple[Eigenbasis, ...]
    card: Card

    @classmethod
    def of(cls, all_images: Eigenbasis, source: str, classes: Sequence[Eigenbasis] = (), **details: Any) -> StoredBasis:
        """Combine a basis with its card.

        Args:
            all_images: basis of all images.
            source: the images, in words.
            classes: basis of each class.
            details: `count`, `method`, `data_digest`, `latents` of the card.

        Raises:
            ValueError: the bases of the classes are of images of another shape, or differ in rank.
        """
        if any(one.image_shape != all_images.image_shape or one.rank != classes[0].rank for one in classes):
            raise ValueError(
                "the bases of all classes must have one rank and the image shape of the whole; truncate them"
            )
        card = Card(
            source,
            all_images.image_shape,
            all_images.total_variance,
            tuple(one.total_variance for one in classes),
            rank=all_images.rank,
            explained_variance=all_images.explained_variance,
            **details,
        )
        stored = cls(all_images, tuple(classes), card)
        return replace(stored, card=replace(card, digest=digest(stored.tensors())).checked())

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], card: Card) -> StoredBasis:
        """Build a basis from its `tensors`, in float64."""
        doubled = {name: value.double() for name, value in tensors.items()}
        shape = card.image_shape
        all_images = Eigenbasis(doubled["mean"], doubled["vectors"], doubled["variances"], card.total_variance, shape)
        names = [f"class_{part}" for part in _PARTS]
        each = (
            zip(*(doubled[name] for name in names), card.class_variances, strict=True) if card.class_variances else ()
        )
        return cls(
            all_images, tuple(Eigenbasis(mean, axes, spread, total, shape) for mean, axes, spread, total in each), card
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the file by name, in float64."""
        found = {part: getattr(self.all_images, part).contiguous() for part in _PARTS}
        if self.classes:
            found |= {f"class_{part}": torch.stack([getattr(one, part) for one in self.classes]) for part in _PARTS}
        return found


def _with_tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}


def _rounded(name: str, tensor: Tensor, precision: Precision) -> Tensor:
    """Round the vectors, which are nearly all of the file; mean and variances stay in float64."""
    return tensor.float() if precision == "float32" and name.endswith("vectors") else tensor.double()


def save_basis(stored: StoredBasis, path: str | Path, precision: Precision = "float64") -> StoredBasis:
    """Write a basis with its card atomically; the same basis and card give the same bytes.

    Args:
        stored: the basis.
        path: `*.safetensors`.
        precision: float32 halves the file and changes a jump by about 1e-7 of the image range.

    Returns:
        the basis as the file holds it.
    """
    kept = {name: _rounded(name, value, precision) for name, value in stored.tensors().items()}
    card = replace(stored.card, digest=digest(kept)).checked()
    content = save(kept, {KEY: json.dumps(card.content(), sort_keys=True, allow_nan=False)})
    with replacing(path) as scratch:
        scratch.write_bytes(content)
    return StoredBasis.from_tensors(kept, card)


def load_basis(path: str | Path, space: Space = "pixels") -> StoredBasis:
    """Read a basis that `save_basis` wrote.

    Args:
        path: `*.safetensors`.
        space: what the basis must be of.

    Raises:
        BasisFileError: the file is missing or altered, or holds no basis, one of an unknown format, one of images in
            another range, or one of another space.
    """
    path = Path(path)
    if not path.is_file():
        raise BasisFileError(f"{path}: there is no such file; {_REMEDY}")
    try:
        with safe_open(path, "pt") as file:
            card = _card((file.metadata() or {}).get(KEY), path, space)
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
        if digest(tensors) != card.digest or (card.check and card != card.checked()):
            raise BasisFileError(f"{path}: its tensors are not those that its card was written for; {_REMEDY}")
        return StoredBasis.from_tensors(tensors, card)
    except BasisFileError:
        raise
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        problem = describe_error(error)
        raise BasisFileError(f"{path}: not a readable safetensors file ({problem}); {_REMEDY}") from error


def _card(text: str | None, path: Path, space: Space) -> Card:
    """Read the card of a file, if this version of the library supports its format."""
    content = json.loads(text) if text else {}
    if content.get("format") != FORMAT:
        found = content.get("format", "no card of a basis")
        raise BasisFileError(f"{path}: holds {found!r}, this version reads {FORMAT!r}; {_REMEDY}")
    card = Card.read(content)
    require_range(card, str(path))
    require_space(card, space, str(path))
    return card


def require_space(card: Card, space: Space, name: str) -> None:
    """Check that a basis is of pixels, or of latents.

    Raises:
        BasisFileError: it is of the other.
    """
    if space != "any" and (card.latents is None) != (space == "pixels"):
        found = "pixels" if card.latents is None else "latents"
        raise BasisFileError(
            f"{name}: a basis of {found}, but one of {space} is needed; make one with `underpainting basis`"
        )


def require_range(card: Card, name: str) -> None:
    """Check that a basis is of images in the library's range.

    Raises:
        BasisFileError: the range differs.
    """
    if tuple(card.image_range) != IMAGE_RANGE:
        raise BasisFileError(
            f"{name}: a basis of images in {list(card.image_range)}, but networks work in {list(IMAGE_RANGE)}; "
            "compute it again from images in that range"
        )


def from_artifacts(
    basis: str | Path, moments: str | Path | None = None, per_class: bool = False, rank: int | None = None
) -> StoredBasis:
    """Build the stored basis of a study from its artifacts.

    Args:
        basis: `eigenbasis.zarr.zip`.
        moments: `moments.zarr.zip`, which holds the number of images.
        per_class: whether each class gets its own Gaussian, from moments made with `moments.per_class`.
        rank: components to keep, of each class too; all if not given.

    Raises:
        ArtifactError: a file is missing or of another kind.
        ValueError: the moments of each class are requested but missing, or the rank is not possible.
    """
    from underpainting.io import artifacts

    all_images = eigenbasis.truncate(eigenbasis.load(basis), rank=rank)
    data = artifacts.load(moments) if moments is not None else None
    if per_class and (data is None or "class_covariance" not in data):
        raise ValueError(
            "the study keeps no covariance of each class; set moments.per_class: true in its file and run it"
        )
    classes: list[Eigenbasis] = []
    if per_class and data is not None:
        pairs = zip(data["class_mean"].values, data["class_covariance"].values, strict=True)
        each = (eigenbasis.dense(mean, covariance, all_images.image_shape) for mean, covariance in pairs)
        classes = [eigenbasis.truncate(one, rank=all_images.rank) for one in each]
    origin = artifacts.provenance(artifacts.load(basis))
    return StoredBasis.of(
        all_images,
        f"the images of the study {origin.get('study', 'of an unknown name')}",
        classes,
        count=int(data["count"]) if data is not None else None,
        method=origin.get("config", {}).get("method", ""),
        data_digest=origin.get("data", ""),
    )
