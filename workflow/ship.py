"""`python workflow/ship.py STUDY`: a network that the workflow has trained becomes the one that ships with the repository.

Copies results/STUDY/denoiser, or results/STUDY/model of a text-to-image study, to the folder that the study file names and writes
its model card.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from safetensors import safe_open

from underpainting.images.painted_digits import UNSAID, WORDS, write_caption
from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting_workflow.studies import text_to_image
from underpainting_workflow.studies.denoiser import TrainedDenoiser
from underpainting_workflow.studies.loading import load_any
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.text_to_image.denoiser import TrainedModel
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 5 * 2**20
"""Of a file of weights."""
CARD = """---
library_name: diffusers
license: mit
tags: [unconditional-image-generation, diffusion]
---
# {title}: the network that ships with Underpainting

{description}

A `UNet2DModel` of {parameters:,} parameters that {learns}, small
enough for two cores without a GPU. It exists to show the workflow, not to make beautiful images.

| | |
| --- | --- |
| data | {images:,} images of {shape}, digest `{data}` |
| training | {steps:,} steps of {batch} images, AdamW, learning rate {rate:g} with warm-up and cosine, seed {seed} |
| loss | {loss:.4f} (mean squared error per value, last 100 steps) |
| weights | `unet/diffusion_pytorch_model.safetensors`, float32, {size:.1f} MB, sha256 `{weights}` |
| made with | {versions} |

To make it again, the same bytes on the same kind of processor with the same torch:

```sh
snakemake --cores 2 --config studies={study} retrain=true -- results/{study}/denoiser/model_index.json
python workflow/ship.py {study}
```

To use it: `diffusers.{pipeline}.from_pretrained("config/networks/{study}")`, or
`underpainting.denoisers.load_denoiser("config/networks/{study}")`.
"""


LATENT_CARD = """---
library_name: diffusers
license: mit
tags: [text-to-image, diffusion]
---
# {title}: the model that ships with Underpainting

{description}

A `StableDiffusionPipeline` in small, trained from nothing: a U-Net of {unet:,} parameters that attends to the
prompt and pools it, a text encoder of {text_encoder:,}, and a VAE of {vae:,} with latents of {latents}. It exists
to show the workflow on two cores without a GPU. Prompts are of the form "a thick red three leaning left on blue";
each word but "a" and the digit may be left out.

| | |
| --- | --- |
| data | {images:,} images of {shape} with captions, digest `{data}` |
| left out | {left_out} |
| VAE | {vae_steps:,} steps of {vae_batch} images, learning rate {vae_rate:g} |
| U-Net, text encoder | {steps:,} steps of {batch} latents, AdamW, learning rate {rate:g} with warm-up and cosine, seed {seed} |
| U-Net's target | {prediction} |
| loss | {loss:.4f} (mean squared error per value, last 100 steps) |
| weights | half precision; {weights} |
| made with | {versions} |

How far its images agree with their prompts is measured in [docs/text_to_image.md](../../../docs/text_to_image.md).

To make it again, the same bytes on the same kind of processor with the same torch:

```sh
snakemake --cores 2 --config studies={study} retrain=true -- results/{study}/model/model_index.json
python workflow/ship.py {study}
```

To use it: `diffusers.StableDiffusionPipeline.from_pretrained("config/networks/{study}")`.
"""


def learns(denoiser: TrainedDenoiser) -> str:
    """What a network has learned, in words."""
    kind, schedule, edm = denoiser.training.prediction_type, denoiser.schedule, denoiser.edm
    if kind == "edm":
        return (
            f"is preconditioned as in EDM (Karras et al. 2022), for sigma from {edm.sigma_min:g} to {edm.sigma_max:g}"
        )
    if kind == "flow":
        return "predicts the velocity of flow matching"
    return f"predicts {kind} on a {schedule.beta_schedule} schedule of {schedule.num_train_timesteps} times"


def count_parameters(weights: Path) -> int:
    """The number of parameters in a file of weights."""
    with safe_open(weights, "pt") as file:
        return sum(file.get_tensor(key).numel() for key in list(file.keys()))


def common(name: str, study: Study | TextToImageStudy, recipe: Any, results: Path) -> dict[str, Any]:
    """What every card says, read from artifacts."""
    curve, images = (
        artifacts.load(results / "training.zarr.zip"),
        artifacts.load(results / "dataset.zarr.zip")["images"],
    )
    origin: dict[str, Any] = artifacts.provenance(curve)
    versions = [
        f"{key} {value}" for key, value in origin["versions"].items() if key in ("torch", "diffusers", "transformers")
    ]
    return {
        "study": name,
        "title": study.title,
        "description": study.description,
        "images": len(images),
        "shape": " x ".join(map(str, images.shape[1:])),
        "data": origin["data"][:16],
        "steps": recipe.steps,
        "batch": recipe.batch_size,
        "rate": recipe.learning_rate,
        "seed": recipe.seed,
        "loss": float(curve["loss"][-100:].mean()),
        "versions": ", ".join(versions),
    }


def card(name: str, study: Study, results: Path) -> str:
    """The card of a network of pixels."""
    assert isinstance(study.denoiser, TrainedDenoiser)
    weights = results / "denoiser" / "unet" / "diffusion_pytorch_model.safetensors"
    return CARD.format(
        **common(name, study, study.denoiser.training, results),
        parameters=count_parameters(weights),
        learns=learns(study.denoiser),
        pipeline=json.loads((results / "denoiser" / "model_index.json").read_text(encoding="utf-8"))["_class_name"],
        size=weights.stat().st_size / 1e6,
        weights=artifacts.digest(weights),
    )


def latent_card(name: str, study: TextToImageStudy, results: Path) -> str:
    """The card of a text-to-image model."""
    recipe, model = text_to_image.files.own(study), results / "model"
    files = {key: model / text_to_image.files.MODEL[key] for key in ("unet", "text_encoder", "vae")}
    said = [
        f"`{file.relative_to(model)}` {file.stat().st_size / 1e6:.2f} MB, sha256 `{artifacts.digest(file)}`"
        for file in files.values()
    ]
    shape = json.loads((model / "unet/config.json").read_text(encoding="utf-8"))
    left_out = (
        [
            write_caption(
                [words.index(getattr(one, key)) if getattr(one, key, None) else UNSAID for key, words in WORDS.items()]
            )
            for one in study.dataset.left_out
        ]
        if study.dataset
        else []
    )
    return LATENT_CARD.format(
        **common(name, study, recipe.training, results),
        **{key: count_parameters(file) for key, file in files.items()},
        latents=f"{shape['in_channels']} x {shape['sample_size']} x {shape['sample_size']}",
        left_out=", ".join(f'"{caption}"' for caption in left_out) or "nothing",
        vae_steps=recipe.vae.steps,
        vae_batch=recipe.vae.batch_size,
        vae_rate=recipe.vae.learning_rate,
        prediction=recipe.training.prediction_type,
        weights="; ".join(said),
    )


def main(name: str, root: Path = ROOT) -> None:
    """Copy the network, without what the workflow alone uses, and write its card."""
    study = load_any(root / "config" / "studies" / f"{name}.yaml", retrain=True)
    results, made = root / "results" / name, "model" if isinstance(study, TextToImageStudy) else "denoiser"
    folder = (
        getattr(study.denoiser, "folder", None) if isinstance(study.denoiser, TrainedDenoiser | TrainedModel) else None
    )
    if folder is None or not (results / "training.zarr.zip").is_file():
        sys.exit(
            f"{name} has no trained network: build it with --config studies={name} retrain=true, and name denoiser.folder"
        )
    weights = sorted((results / made).rglob("*.safetensors"))
    for file in weights:
        if file.stat().st_size > MOST_BYTES:
            sys.exit(f"{file} is larger than {MOST_BYTES / 2**20:g} MiB: choose smaller networks in the study file")
    target = root / folder
    shutil.copytree(results / made, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.zarr.zip", ".*"))
    text = latent_card(name, study, results) if isinstance(study, TextToImageStudy) else card(name, study, results)
    write_text(text, target / "README.md")
    print(json.dumps({"network": folder, "bytes": sum(file.stat().st_size for file in weights)}))


if __name__ == "__main__":
    main(sys.argv[1])
