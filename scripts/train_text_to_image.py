"""Train a study's text encoder and U-Net, and write a latent model that diffusers reads; resume after an interruption."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from underpainting.denoisers.compute import Compute, pick_device
from underpainting.images import painted_digits
from underpainting.images.training_images import load_bytes
from underpainting.io import artifacts
from underpainting.training import text_to_image, vae
from underpainting.training.text_to_image import TextToImageRecipe, TrainingSet
from underpainting.training.tokenizer import train_tokenizer
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import Job, run
from underpainting_workflow.training_runs import loss_curve, run_digest

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


def training_set(dataset: str, encoder: "AutoencoderKL", config: dict[str, Any]) -> TrainingSet:
    """Make the training set of latents and captions, without the images left out, and a tokenizer of all captions."""
    data = artifacts.load(dataset)
    kept = data["left_out"].values == 0
    latents = vae.encode(encoder, torch.from_numpy(load_bytes(dataset)))[torch.from_numpy(kept)]
    captions = painted_digits.draw_captions(data["attributes"].values[kept], config["left_out"], config["empty"])
    return TrainingSet(latents, captions, train_tokenizer(painted_digits.complete_captions(), config["tokens"]))


def main(
    inputs: dict[str, str], outputs: dict[str, str], study: str, config: dict[str, Any], device: str, job: Job
) -> None:
    """Train, then write model and losses; remove the checkpoint once they are written."""
    encoder, where = vae.load(inputs["vae"]), pick_device(device)
    data, recipe = training_set(inputs["dataset"], encoder, config["captions"]), TextToImageRecipe(**config["training"])
    checkpoint = Path(outputs["losses"]).with_name("training.checkpoint.safetensors")
    with Compute().calling(where):
        network, losses = text_to_image.train_text_to_image(data, recipe, checkpoint, run_digest(job, where), where)
    schedule = text_to_image.make_schedule(recipe)
    text_to_image.save_pipeline(encoder, network.cpu(), data.tokenizer, schedule, Path(outputs["index"]).parent)
    provenance = origin(study, data=artifacts.digest(inputs["dataset"]), config=config)
    artifacts.save(loss_curve(losses), outputs["losses"], provenance)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)
