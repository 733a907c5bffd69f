"""The artifact of the Gaussians of latents: that of all, and that of those under each known prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from underpainting.basis.eigenbasis import Eigenbasis
    from underpainting.basis.shrinkage import ShrunkGaussian
    from underpainting.teleport.prompted import PromptBases


def agreeing(attributes: NDArray[np.integer], said: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell which images agree with a prompt in all that it says, shape (sample,).

    Args:
        attributes: of the images, -1 where there is no word, shape (sample, attribute).
        said: of the prompt, -1 where it leaves an attribute open, shape (attribute,).
    """
    result: NDArray[np.bool_] = ((attributes == said) | (said < 0)).all(1)
    return result


def save(gaussians: Sequence[ShrunkGaussian], path: str | Path, provenance: Mapping[str, Any]) -> None:
    """Write Gaussians, that of all latents first; all are cut to the rank of the smallest."""
    import xarray as xr

    from underpainting.basis.eigenbasis import truncate
    from underpainting.io import artifacts

    rank = min(one.basis.rank for one in gaussians)
    bases = [truncate(one.basis, rank=rank) for one in gaussians]
    columns = {
        "mean": (np.stack([one.mean.numpy() for one in bases]), ("gaussian", "latent")),
        "vectors": (np.stack([one.vectors.numpy() for one in bases]), ("gaussian", "latent", "component")),
        "variances": (np.stack([one.variances.numpy() for one in bases]), ("gaussian", "component")),
        "total_variance": (np.array([one.total_variance for one in bases]), ("gaussian",)),
        "mean_weight": (np.array([one.mean_weight for one in gaussians]), ("gaussian",)),
        "covariance_weight": (np.array([one.covariance_weight for one in gaussians]), ("gaussian",)),
    }
    arrays = {name: artifacts.array(values, dims, name.replace("_", " ")) for name, (values, dims) in columns.items()}
    artifacts.save(xr.Dataset(arrays, attrs={"latent_shape": list(bases[0].image_shape)}), path, provenance)


def load(path: str | Path) -> list[Eigenbasis]:
    """Read Gaussians that `save` wrote, that of all latents first."""
    import torch

    from underpainting.basis.eigenbasis import Eigenbasis
    from underpainting.io import artifacts

    data = artifacts.load(path)
    shape = tuple(int(size) for size in data.attrs["latent_shape"])
    parts = [torch.from_numpy(data[name].values) for name in ("mean", "vectors", "variances")]
    totals = data["total_variance"].values.tolist()
    rows = zip(*parts, totals, strict=True)
    return [Eigenbasis(mean, vectors, variances, total, shape) for mean, vectors, variances, total in rows]


def of_kind(kind: str, gaussians: str, regression: str, embeddings: Any, known: int) -> PromptBases:
    """Read the Gaussian of each prompt.

    Args:
        kind: common, prompt, or predicted.
        gaussians: file of the Gaussians of all latents and of each known prompt.
        regression: file of the regression on the text.
        embeddings: of all prompts, the known ones first, shape (prompt, token, feature).
        known: number of known prompts; the others get the Gaussian of all latents where theirs is that of the prompt.
    """
    from underpainting.basis import prompts
    from underpainting.teleport.prompted import PromptBases

    common, *own = load(gaussians)
    count = len(embeddings)
    if kind == "common":
        return PromptBases(common, [common] * count)
    if kind == "prompt":
        return PromptBases(common, [*own, *[common] * (count - known)])
    return PromptBases(common, prompts.load(regression)[0].gaussian_for(embeddings.cpu()))
