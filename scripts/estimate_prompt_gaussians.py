"""Estimate the Gaussians of latents: of all, under each known prompt, and predicted from the text; compare their likelihoods."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from underpainting.basis import eigenbasis, prompts
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.likelihood import log_likelihood
from underpainting.basis.prompts import CaptionedLatents
from underpainting.basis.shrinkage import ShrunkGaussian, shrunk_gaussian
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.images import painted_digits
from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting_workflow import prompt_gaussians, tables
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


class Latents(NamedTuple):
    """Latents, shape (sample, channel, height, width), attributes, and whether the training left them out, (sample,)."""

    latents: Tensor
    attributes: np.ndarray
    left_out: np.ndarray

    @classmethod
    def load(cls, file: str) -> "Latents":
        """Read what `encode_latents` wrote."""
        data = artifacts.load(file)
        return cls(torch.from_numpy(data["latents"].values), data["attributes"].values, data["left_out"].values != 0)

    def only(self, chosen: np.ndarray) -> "Latents":
        """Select latents."""
        return Latents(self.latents[torch.from_numpy(chosen)], self.attributes[chosen], self.left_out[chosen])

    def under(self, prompt: str) -> Tensor:
        """Select the latents that agree with a prompt in all that it says, shape (sample, latent), float64."""
        chosen = prompt_gaussians.agreeing(self.attributes, painted_digits.read_caption(prompt))
        return self.latents[torch.from_numpy(chosen)].flatten(1).double()


def with_captions(data: Latents, model: LatentModel, config: dict[str, Any]) -> CaptionedLatents:
    """Draw captions of latents, as the training does, and embed each different one once."""
    draw = painted_digits.draw_captions(data.attributes, config["left_out"], config["empty"])
    generator, chosen = torch.Generator().manual_seed(config["seed"]), torch.arange(len(data.attributes))
    texts = [text for _ in range(config["captions"]) for text in draw(chosen, generator)]
    different, numbers = np.unique(texts, return_inverse=True)
    parts = np.array_split(different, max(1, len(different) // 512))
    embeddings = torch.cat([model.embed(part.tolist()).cpu() for part in parts])
    return CaptionedLatents(data.latents.repeat(config["captions"], 1, 1, 1), embeddings, torch.from_numpy(numbers))


def likelihoods(
    data: Latents, names: Sequence[str], kinds: dict[str, list[Eigenbasis]], noise: float
) -> list[dict[str, Any]]:
    """Measure the mean log likelihood of the latents under each prompt, a row per prompt and kind of Gaussian."""
    rows = []
    for place, name in enumerate(names):
        if len(latents := data.under(name)):
            about = {"prompt": name, "n": len(latents)}
            for kind, bases in kinds.items():
                found = float(log_likelihood(bases[place], latents, noise).mean())
                rows.append({**about, "gaussian": kind, "log_likelihood": found})
    return rows


def measured(
    held: Latents, left_out: Latents, gaussians: list[Eigenbasis], predicted: list[Eigenbasis], config: dict[str, Any]
) -> pd.DataFrame:
    """Measure likelihoods of latents that no Gaussian was made of; left-out prompts have no Gaussian of their own."""
    common, *own = gaussians
    known = len(config["known"])
    kinds = {"common": [common] * known, "prompt": own, "predicted": predicted[:known]}
    rows = [{"group": "known", **row} for row in likelihoods(held, config["known"], kinds, config["noise"])]
    kinds = {"common": [common] * len(config["unseen"]), "predicted": predicted[known:]}
    found = likelihoods(left_out, config["unseen"], kinds, config["noise"])
    return pd.DataFrame([*rows, *({"group": "left out", **row} for row in found)])


class Parts(NamedTuple):
    """Numbers of the latents of which Gaussians are made, of those held out, and of those left out, as in the training."""

    used: np.ndarray
    held: np.ndarray
    left_out: np.ndarray


def split(data: Latents, config: dict[str, Any]) -> Parts:
    """Divide the latents."""
    out = data.left_out.copy()
    for prompt in config["unseen"]:
        out |= prompt_gaussians.agreeing(data.attributes, painted_digits.read_caption(prompt))
    order = np.random.default_rng(config["seed"]).permutation(np.flatnonzero(~out))
    count = max(1, round(config["held_out"] * len(order)))
    return Parts(np.sort(order[count:]), np.sort(order[:count]), np.flatnonzero(out))


def estimated(data: Latents, config: dict[str, Any]) -> list[ShrunkGaussian]:
    """Estimate the Gaussian of all latents, and under each known prompt, shrunk towards that."""
    shape = tuple(data.latents.shape[1:])
    common = eigenbasis.basis_of_images(data.latents.flatten(1).double().numpy(), shape)
    common = eigenbasis.truncate(common, rank=config["rank"])
    each = [shrunk_gaussian(data.under(name).numpy(), common, config["rank"]) for name in config["known"]]
    return [ShrunkGaussian(common, 1.0, 1.0), *each]


def main(
    inputs: dict[str, str],
    latents: str,
    gaussians: str,
    regression: str,
    csv: str,
    study: str,
    config: dict[str, Any],
    compute: Compute,
) -> None:
    """Estimate, write, measure."""
    model, data = LatentModel.load(Path(inputs["index"]).parent, compute), Latents.load(latents)
    parts = split(data, config)
    used = data.only(parts.used)
    found = estimated(used, config)
    digests = {name: artifacts.digest(inputs[name]) for name in ("text_encoder", "tokenizer", "vae")}
    provenance = origin(study, latents=artifacts.digest(latents), model=digests, config=config)
    prompt_gaussians.save(found, gaussians, provenance)
    fitted, choice = prompts.fit(with_captions(used, model, config), config["rank"], ratio=config["noise"])
    attributes = artifacts.load(latents).attrs
    about = {"scaling_factor": attributes["scaling_factor"], "vae": attributes["vae"], "choice": list(choice)}
    prompts.save(fitted, regression, {**about, **digests})
    predicted = fitted.gaussian_for(model.embed([*config["known"], *config["unseen"]]).cpu())
    held, left_out = data.only(parts.held), data.only(parts.left_out)
    write_text(tables.csv(measured(held, left_out, [one.basis for one in found], predicted, config)), csv)


if __name__ == "__main__":
    run(main)
