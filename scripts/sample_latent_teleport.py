"""Make the latents of one sampler, guidance and way for every number of skipped steps, and keep what is measured of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from underpainting import meter
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.images import painted_digits
from underpainting.io import artifacts
from underpainting.io.artifacts import array
from underpainting.quality import attributes, autoencoder, fidelity
from underpainting.teleport.prompted import Approach, Kind, PreparedApproach, PromptBases
from underpainting_workflow import prompt_batches, prompt_gaussians
from underpainting_workflow.origins import origin
from underpainting_workflow.prompt_batches import Numbers
from underpainting_workflow.runner import run

SHOWN = 1  # images of each batch
KINDS: dict[str, Kind] = {
    "plain": "plain",
    "interval": "interval",
    "jump": "jump",
    "guided": "jump",
    "relative": "relative",
}


class Measures(NamedTuple):
    """Classifier of attributes, autoencoder, the network's own latents by prompt and seed, and attributes of the prompts."""

    classifier: attributes.AttributeClassifier
    autoencoder: autoencoder.Autoencoder
    own: dict[tuple[int, int], Tensor]
    said: np.ndarray

    def of(self, chosen: Numbers, latents: Tensor, images: Tensor) -> dict[str, np.ndarray]:
        """Measure latents and their byte images."""
        classified = self.classifier.classify(images)
        return {
            "right": attributes.is_right(classified, self.said[chosen.prompts]),
            "features": fidelity.extract_features(self.classifier.features, images),
            "autoencoder_features": fidelity.extract_features(self.autoencoder.features, images),
            "squared_error": self.errors(chosen, latents),
        }

    def errors(self, chosen: Numbers, latents: Tensor) -> np.ndarray:
        """Compute the mean squared difference from the network's own latents; NaN for seeds without them."""
        own = [self.own.get(pair) for pair in zip(*chosen, strict=True)]
        pairs = zip(latents.double(), own, strict=True)
        return np.array([np.nan if other is None else float((one - other).square().mean()) for one, other in pairs])


DIMS = {
    "right": "attribute",
    "features": "feature",
    "autoencoder_features": "autoencoder_feature",
    "squared_error": None,
}
MISSING = {"right": "attributes that the prompt leaves open", "squared_error": "seeds whose flow was not solved"}


def generated(
    model: LatentModel, approaches: list[PreparedApproach], measures: Measures, config: dict[str, Any]
) -> Iterator[xr.Dataset]:
    """Yield what is measured of each batch, for every number of skipped steps."""
    embeddings, guidance = model.embed(config["prompts"]), Guidance(config["guidance"])
    for chosen in prompt_batches.numbers(config):
        batch = prompt_batches.batch(model, embeddings, guidance, chosen)
        made = [approach.make(batch) for approach in approaches]
        images = [fidelity.to_bytes(model.decode(one.latents)).cpu() for one in made]
        found = [measures.of(chosen, one.latents.cpu(), decoded) for one, decoded in zip(made, images, strict=True)]
        yield described(chosen, found, images, [one.calls for one in made])


def described(
    chosen: Numbers, found: list[dict[str, np.ndarray]], images: list[Tensor], calls: list[int]
) -> xr.Dataset:
    """Return what is stored of a batch."""
    arrays = {
        name: array(
            np.stack([one[name] for one in found], 1),
            tuple(filter(None, ("sample", "skipped_steps", dim))),
            name.replace("_", " "),
            missing=MISSING.get(name, ""),
        )
        for name, dim in DIMS.items()
    }
    shown = torch.stack(images, 1)[:SHOWN].numpy()
    about = {
        "prompt": array(np.array(chosen.prompts), "sample", "number of the prompt"),
        "seed": array(np.array(chosen.seeds), "sample", "seed of the initial noise"),
        "shown": array(shown, ("shown_sample", "skipped_steps", *artifacts.IMAGE_DIMS), "first image of each batch"),
        "shown_prompt": array(np.array(chosen.prompts[:SHOWN]), "shown_sample", "number of its prompt"),
        "nfe": array(np.array(calls), "skipped_steps", "network calls per image"),
    }
    return xr.Dataset({**arrays, **about})


def prepared(model: LatentModel, bases: PromptBases | None, config: dict[str, Any]) -> list[PreparedApproach]:
    """Prepare the approach of every number of skipped steps."""
    sampler, scale = config["sampler"], config["guidance"] if config["kind"] == "guided" else 1.0
    return [
        PreparedApproach(
            Approach(KINDS[config["kind"]], sampler["name"], sampler["steps"], skipped, scale), model.schedule, bases
        )
        for skipped in config["skipped_steps"]
    ]


def gaussians_of(model: LatentModel, inputs: dict[str, str], config: dict[str, Any]) -> PromptBases | None:
    """Read the Gaussians that the way needs."""
    if "gaussians" not in inputs:
        return None
    files = inputs["gaussians"], inputs["regression"]
    return prompt_gaussians.of_kind(config["gaussian"], *files, model.embed(config["prompts"]), config["known"])


def main(inputs: dict[str, str], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Sample batch by batch, write."""
    model = LatentModel.load(Path(inputs["index"]).parent, compute)
    approaches = prepared(model, gaussians_of(model, inputs, config), config)
    solution = artifacts.load(inputs["solution"])
    pairs = zip(solution["prompt"].values.tolist(), solution["seed"].values.tolist(), strict=True)
    own = dict(zip(pairs, torch.from_numpy(solution["latents"].values).double(), strict=True))
    said = np.stack([painted_digits.read_caption(prompt) for prompt in config["prompts"]])
    networks = attributes.load(inputs["classifier"]).network, autoencoder.load(inputs["autoencoder"]).network
    calls = sum(approach.calls(config["guidance"]) for approach in approaches)
    meter.plan(evaluations=len(config["prompts"]) * len(range(*config["seeds"])) * calls)
    kept = (
        "unet",
        "text_encoder",
        "tokenizer",
        "scheduler",
        "vae",
        "classifier",
        "autoencoder",
        "gaussians",
        "regression",
    )
    digests = {name: artifacts.digest(inputs[name]) for name in kept if name in inputs}
    with torch.inference_mode():
        parts = list(generated(model, approaches, Measures(*networks, own, said), config))
    data = xr.concat(parts, "sample", data_vars="minimal", coords="minimal", compat="override")
    shown = xr.concat([part[["shown", "shown_prompt"]] for part in parts], "shown_sample")
    skipped = array(np.array(config["skipped_steps"]), "skipped_steps", "number of skipped steps")
    data = data.drop_vars(["shown", "shown_prompt"]).merge(shown).assign(skipped_steps=skipped)
    artifacts.save(data, output, origin(study, config=config, inputs=digests))


if __name__ == "__main__":
    run(main)
