r"""Gaussian of the latents under any prompt, predicted from the prompt's text embedding.

Three Gaussians can describe the latents under a prompt. One of all latents ignores it (`eigenbasis`). One of the latents
whose captions agree with it exists for prompts with training images alone (`shrinkage`). The one here is defined for every
prompt. With z the principal components of the flattened embedding (token by token) over the captions, divided by the first
one's standard deviation,

    mean        mu(e) = mu_0 + B^T phi(e),      phi = z, and the products of each two of its `squared` leading components
    covariance  Sigma(e) = U diag(lambda_k exp(w_k^T z + w_k0)) U^T,     or the same U diag(lambda) U^T for all prompts

B is a ridge regression (Hoerl & Kennard 1970), fitted without one part of the captions after another. U diag(lambda) U^T is
the covariance of the residuals of the captions left out, so that it holds what the regression does not know. The log
variances w are a gamma regression of the squared residuals along each axis (Harvey 1976, Smyth 1989), with a ridge of its
own. Everything that is chosen, the products, both ridges, and whether the covariance depends on the prompt, is what
describes the captions left out best: by the log likelihood of their latents seen through noise (`likelihood`).

All latents of a caption are left out together, since they share an embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.io import tensor_files
from underpainting.io.tensor_files import TensorFileError

FORMAT = "underpainting.text_regression/1"
PARTS = 5
MAX_AXES = 1024
RIDGES = tuple(10.0**power for power in range(-6, 1))
"""Penalties of the mean's weights, each times the number of latents."""

VARIANCE_RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
VARIANCE_AXES = 64
_FISHER_STEPS = 20
_LARGEST_LOG = 30.0
_ROUNDING = 1e-12  # of the leading component; less is no component
_MATRICES = ("axes", "weights", "log_weights")  # with the vectors of the residual, nearly all of the file
_VECTORS = ("centre", "log_range")
_PARTS_OF_BASIS = ("mean", "vectors", "variances")


class PromptGaussians(Protocol):
    """Protocol of what gives a Gaussian of the latents for each prompt."""

    def gaussian_for(self, embeddings: Tensor) -> list[Eigenbasis]:
        """Return a Gaussian for each prompt.

        Args:
            embeddings: text embeddings, shape (prompt, token, feature).
        """
        ...


class CaptionedLatents(NamedTuple):
    """Latents with the embeddings of their captions.

    Attributes:
        latents: shape (sample, channel, height, width).
        embeddings: of every different caption, shape (caption, token, feature).
        captions: number of the caption of each latent, shape (sample,).
    """

    latents: Tensor
    embeddings: Tensor
    captions: Tensor


class Choice(NamedTuple):
    """What the captions left out have chosen.

    Attributes:
        squared: number of leading components of the embedding whose products the mean depends on.
        ridge: of the mean, per latent.
        variance_ridge: of the log variances, per latent; None for a covariance that is the same for all prompts.
    """

    squared: int
    ridge: float
    variance_ridge: float | None


@dataclass(frozen=True)
class TextRegression:
    """The regression of latents on text embeddings; all tensors are float64.

    Attributes:
        centre: mean of the flattened embeddings, shape (feature,).
        axes: from an embedding less the centre to z, shape (feature, axis).
        squared: number of leading z whose products the mean depends on.
        weights: B, shape (column, latent).
        residual: Gaussian of a prompt with phi = 0: mu_0 and the covariance of the residuals.
        log_weights: w with the constant in the first row, shape (1 + axis, component); no row for one covariance of all prompts.
        log_range: least and largest w_k^T z + w_k0 over the captions, shape (2, component).
        embedding_shape: (token, feature).
    """

    centre: Tensor
    axes: Tensor
    squared: int
    weights: Tensor
    residual: Eigenbasis
    log_weights: Tensor
    log_range: Tensor
    embedding_shape: tuple[int, ...]

    def gaussian_for(self, embeddings: Tensor) -> list[Eigenbasis]:
        """Predict the Gaussian of the latents under each prompt.

        Args:
            embeddings: shape (prompt, token, feature).

        Raises:
            ValueError: the embeddings are of another text encoder, or not finite.
        """
        scores = self._scores(embeddings)
        means = self.residual.mean + _columns(scores, self.squared) @ self.weights
        if not len(self.log_weights):
            return [replace(self.residual, mean=mean) for mean in means]
        logs = self.log_weights[0] + scores[:, : len(self.log_weights) - 1] @ self.log_weights[1:]
        gains = torch.minimum(torch.maximum(logs, self.log_range[0]), self.log_range[1]).exp()
        return [self._scaled(mean, gain) for mean, gain in zip(means, gains, strict=True)]

    def _scores(self, embeddings: Tensor) -> Tensor:
        """Compute z, shape (prompt, axis)."""
        if tuple(embeddings.shape[1:]) != self.embedding_shape:
            raise ValueError(
                f"embeddings of shape {tuple(embeddings.shape[1:])} (token, feature) are not those of the text encoder of this "
                f"regression, {self.embedding_shape}; use the basis with the model that it was made for"
            )
        if not torch.isfinite(embeddings).all():
            raise ValueError("a text embedding holds values that are not finite (NaN or infinity)")
        return (embeddings.flatten(1).to(self.centre) - self.centre) @ self.axes

    def _scaled(self, mean: Tensor, gains: Tensor) -> Eigenbasis:
        """Scale the variances and sort the components."""
        rest = self.residual.total_variance - float(self.residual.variances.sum())
        variances, order = (self.residual.variances * gains).sort(descending=True, stable=True)
        vectors = self.residual.vectors[:, order]
        return Eigenbasis(mean, vectors, variances, float(variances.sum()) + max(rest, 0.0), self.residual.image_shape)

    def to(self, device: torch.device | str) -> TextRegression:
        """Return the same regression on another device."""
        names = ("centre", "axes", "weights", "log_weights", "log_range")
        moved = {name: getattr(self, name).to(device) for name in names}
        return replace(self, residual=self.residual.to(device), **moved)


def _columns(scores: Tensor, squared: int) -> Tensor:
    """Compute phi from z: the scores, and the products of each two of the leading ones."""
    first, second = torch.triu_indices(squared, squared)
    return torch.cat([scores, scores[:, first] * scores[:, second]], 1)


class _Captions(NamedTuple):
    """The captions of a fit: z, number of latents, and the part in which it is left out, of each caption."""

    scores: Tensor
    counts: Tensor
    parts: Tensor


def fit(
    data: CaptionedLatents,
    rank: int | None = None,
    squared: Sequence[int] = (0, 32),
    ratio: float = 1.0,
    seed: int = 0,
) -> tuple[TextRegression, Choice]:
    """Fit the regression; what is left open is chosen by captions that are left out.

    Args:
        data: latents and captions; several latents may share a caption.
        rank: components of the covariance to keep; all if not given.
        squared: numbers of components among which to choose those with products.
        ratio: r = sigma / alpha of the noise through which the log likelihood sees the latents.
        seed: of the division of the captions into parts.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, or fewer than ten different captions.
    """
    _require(data)
    latents, captions = data.latents.flatten(1).double(), data.captions.long()
    centre, axes = _principal_axes(data.embeddings)
    scores = (data.embeddings.flatten(1).double() - centre) @ axes
    about = _Captions(scores, torch.bincount(captions, minlength=len(scores)).double(), _divided(len(scores), seed))
    sums = _sum_by_caption(latents, captions, len(scores))
    number, ridge, predicted = _choose_mean(latents, captions, about, sums, squared, ratio)
    left = latents - predicted[captions]
    weights, intercept = next(_ridge_fits(_columns(scores, number), about.counts, sums, (ridge,)))
    residual = _gaussian_of_residuals(left, tuple(data.latents.shape[1:]), rank)
    log_weights, variance_ridge = _choose_variances(residual, left, captions, about, ratio)
    logs = log_weights[:1] + scores[:, : len(log_weights) - 1] @ log_weights[1:] if len(log_weights) else log_weights
    span = torch.stack([logs.amin(0), logs.amax(0)]) if len(log_weights) else log_weights
    shape = tuple(data.embeddings.shape[1:])
    found = TextRegression(centre, axes, number, weights, replace(residual, mean=intercept), log_weights, span, shape)
    return found, Choice(number, ridge, variance_ridge)


def _require(data: CaptionedLatents) -> None:
    count = len(data.embeddings)
    if data.embeddings.ndim != 3 or data.latents.ndim != 4 or data.captions.shape != data.latents.shape[:1]:
        raise ValueError(
            "a regression needs latents (sample, channel, height, width), embeddings (caption, token, feature) and the number of "
            f"each latent's caption (sample,); got {tuple(data.latents.shape)}, {tuple(data.embeddings.shape)} and "
            f"{tuple(data.captions.shape)}"
        )
    if len(data.captions) and not 0 <= int(data.captions.min()) <= int(data.captions.max()) < count:
        raise ValueError(f"a latent's caption is not one of the {count}, numbered from 0")
    if (different := len(data.captions.unique())) < 2 * PARTS:
        raise ValueError(f"{different} different captions are too few for a regression; give {2 * PARTS} or more")
    if not (torch.isfinite(data.latents).all() and torch.isfinite(data.embeddings).all()):
        raise ValueError("a latent or an embedding holds values that are not finite (NaN or infinity)")


def _principal_axes(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of embeddings and the axes to their components, in units of the first one's standard deviation."""
    flat = embeddings.flatten(1).double()
    basis = eigenbasis.basis_of_images(flat.numpy(), (1, 1, flat.shape[1]))
    kept = min(MAX_AXES, int((basis.variances > _ROUNDING * basis.variances.max()).sum()))
    if not kept:
        raise ValueError("all captions have the same embedding; a regression needs different ones")
    return basis.mean, basis.vectors[:, :kept] / basis.variances[0].sqrt()


def _divided(count: int, seed: int) -> Tensor:
    """Divide captions into equal parts at random: the part of each, shape (caption,)."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed)) % PARTS


def _sum_by_caption(values: Tensor, captions: Tensor, count: int) -> Tensor:
    return torch.zeros(count, values.shape[1], dtype=values.dtype).index_add_(0, captions, values)


def _choose_mean(
    latents: Tensor, captions: Tensor, about: _Captions, sums: Tensor, squared: Sequence[int], ratio: float
) -> tuple[int, float, Tensor]:
    """Return the number of squared components, the ridge, and the predictions for captions left out, of largest likelihood."""
    best: tuple[float, int, float, Tensor] | None = None
    for number in sorted({min(number, about.scores.shape[1]) for number in squared}):
        for ridge, predicted in zip(RIDGES, _predictions_left_out(about, sums, number), strict=True):
            spread = _log_spread(latents - predicted[captions], ratio)
            if best is None or spread < best[0]:
                best = spread, number, ridge, predicted
    assert best is not None
    return best[1:]


def _predictions_left_out(about: _Captions, sums: Tensor, squared: int) -> Tensor:
    """Predict the latents of each caption without its part, for every ridge: shape (ridge, caption, latent)."""
    columns = _columns(about.scores, squared)
    found = torch.empty(len(RIDGES), *sums.shape, dtype=sums.dtype)
    for part in range(PARTS):
        out = about.parts == part
        for number, (weights, intercept) in enumerate(
            _ridge_fits(columns[~out], about.counts[~out], sums[~out], RIDGES)
        ):
            found[number, out] = intercept + columns[out] @ weights
    return found


def _ridge_fits(
    columns: Tensor, counts: Tensor, sums: Tensor, ridges: Sequence[float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield B, shape (column, latent), and the constant, shape (latent,), for every ridge.

    Args:
        columns: phi of each caption, shape (caption, column).
        counts: number of its latents, shape (caption,).
        sums: sum of its latents, shape (caption, latent).
        ridges: penalties, each times the number of latents.
    """
    total = counts.sum()
    centre, mean = counts @ columns / total, sums.sum(0) / total
    centred = columns - centre
    values, vectors = torch.linalg.eigh(centred.T @ (centred * counts[:, None]))
    mixed = vectors.T @ (centred.T @ (sums - counts[:, None] * mean))
    for ridge in ridges:
        weights = vectors @ (mixed / (values.clamp(min=0) + ridge * total)[:, None])
        yield weights, mean - centre @ weights


def _log_spread(residuals: Tensor, ratio: float) -> float:
    """Compute the log determinant of the residuals' covariance with noise added, up to a constant; less is more likely."""
    rows, columns = residuals.shape
    gram = residuals @ residuals.T if rows < columns else residuals.T @ residuals
    return float((torch.linalg.eigvalsh(gram / rows).clamp(min=0) + ratio**2).log().sum())


def _gaussian_of_residuals(residuals: Tensor, shape: tuple[int, ...], rank: int | None) -> Eigenbasis:
    return eigenbasis.truncate(eigenbasis.basis_of_images(residuals.numpy(), shape), rank=rank)


def _choose_variances(
    residual: Eigenbasis, left: Tensor, captions: Tensor, about: _Captions, ratio: float
) -> tuple[Tensor, float | None]:
    """Return w, shape (1 + axis, component), and its ridge; without a row, and None, if one covariance is more likely."""
    counts, used = about.counts, about.counts > 0
    squares = _sum_by_caption((left @ residual.vectors).square(), captions, len(counts)) / counts.clamp(min=1)[:, None]
    design = torch.cat([torch.ones(len(counts), 1, dtype=torch.float64), about.scores[:, :VARIANCE_AXES]], 1)
    found = {None: 0.0} | dict.fromkeys(VARIANCE_RIDGES, 0.0)
    for part in range(PARTS):
        out, rest = used & (about.parts == part), used & (about.parts != part)
        common = (counts[rest] @ squares[rest] / counts[rest].sum()).clamp(min=torch.finfo(torch.float64).tiny)
        for ridge in found:
            logs = _gamma_fit(design[rest], counts[rest], squares[rest] / common, ridge)
            found[ridge] += _misfit(squares[out], counts[out], common * (design[out] @ logs).exp(), ratio)
    best = min(found, key=lambda ridge: found[ridge])
    if best is None:
        return torch.empty(0, residual.rank, dtype=torch.float64), None
    common = residual.variances.clamp(min=torch.finfo(torch.float64).tiny)
    return _gamma_fit(design[used], counts[used], squares[used] / common, best), best


def _gamma_fit(design: Tensor, counts: Tensor, squares: Tensor, ridge: float | None) -> Tensor:
    """Fit the logarithm of mean squares by Fisher scoring, shape (column, component); zero without a ridge.

    Args:
        design: a constant and regressors of each caption, shape (caption, column).
        counts: number of latents of each caption, shape (caption,).
        squares: mean squared residuals, relative to those of all captions, shape (caption, component).
        ridge: penalty of all but the constant, times the number of latents.
    """
    found = torch.zeros(design.shape[1], squares.shape[1], dtype=design.dtype)
    if ridge is None:
        return found
    penalty = torch.full((design.shape[1], 1), ridge * float(counts.sum()), dtype=design.dtype)
    penalty[0] = 0
    weighted = design * counts[:, None]
    factor = torch.linalg.cholesky(design.T @ weighted + torch.diag(penalty[:, 0]))
    for _ in range(_FISHER_STEPS):
        slope = weighted.T @ (squares * (-(design @ found)).clamp(max=_LARGEST_LOG).exp() - 1) - penalty * found
        found = found + torch.cholesky_solve(slope, factor).clamp(-1, 1)
    return found


def _misfit(squares: Tensor, counts: Tensor, variances: Tensor, ratio: float) -> float:
    """Compute minus twice the log likelihood of squared residuals, seen through noise, up to a constant."""
    noisy = variances + ratio**2
    return float(counts @ (noisy.log() + (squares + ratio**2) / noisy).sum(1))


def save(regression: TextRegression, path: str | Path, about: Mapping[str, Any]) -> None:
    """Write a regression as one safetensors file, its matrices in float32.

    Args:
        regression: the regression.
        path: `*.safetensors`.
        about: of what the latents and embeddings are: names, digests, numbers that JSON can hold.
    """
    tensors = {name: getattr(regression, name) for name in (*_MATRICES, *_VECTORS)}
    tensors |= {f"residual_{name}": getattr(regression.residual, name) for name in _PARTS_OF_BASIS}
    kept = {
        name: tensor.float() if name in (*_MATRICES, "residual_vectors") else tensor.double()
        for name, tensor in tensors.items()
    }
    content = {
        "format": FORMAT,
        "squared": regression.squared,
        "embedding_shape": list(regression.embedding_shape),
        "latent_shape": list(regression.residual.image_shape),
        "total_variance": regression.residual.total_variance,
        "about": dict(about),
    }
    tensor_files.write(path, kept, content)


def load(path: str | Path) -> tuple[TextRegression, dict[str, Any]]:
    """Read a regression and what it is about, as `save` wrote them.

    Raises:
        TensorFileError: the file is missing, damaged, or holds no regression on text embeddings.
    """
    tensors, content = tensor_files.read(path)
    if content.get("format") != FORMAT:
        found = content.get("format", "something else")
        raise TensorFileError(f"{path}: holds {found!r}, this version reads {FORMAT!r}; make the file again")
    doubled = {name: tensor.double() for name, tensor in tensors.items()}
    shape = tuple(content["latent_shape"])
    mean, vectors, variances = (doubled[f"residual_{name}"] for name in _PARTS_OF_BASIS)
    residual = Eigenbasis(mean, vectors, variances, content["total_variance"], shape)
    own = {name: doubled[name] for name in (*_MATRICES, *_VECTORS)}
    embedding_shape = tuple(content["embedding_shape"])
    found = TextRegression(**own, squared=content["squared"], residual=residual, embedding_shape=embedding_shape)
    return found, content["about"]
