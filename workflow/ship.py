"""`python workflow/ship.py STUDY`: a network that the workflow has trained becomes the one that ships with the repository.

Copies results/STUDY/denoiser to the folder that the study file names and writes its model card.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from safetensors import safe_open

from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting_workflow.studies.denoiser import TrainedDenoiser
from underpainting_workflow.studies.loading import load_study
from underpainting_workflow.studies.models import Study

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 5_000_000
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


def card(name: str, study: Study, results: Path) -> str:
    """The model card, every number read from artifacts."""
    assert isinstance(study.denoiser, TrainedDenoiser)
    recipe, curve = study.denoiser.training, artifacts.load(results / "training.zarr.zip")
    origin: dict[str, Any] = artifacts.provenance(curve)
    weights = results / "denoiser" / "unet" / "diffusion_pytorch_model.safetensors"
    with safe_open(weights, "pt") as file:
        parameters = sum(file.get_tensor(key).numel() for key in list(file.keys()))
    images = artifacts.load(results / "dataset.zarr.zip")["images"]
    return CARD.format(
        title=study.title,
        description=study.description,
        parameters=parameters,
        learns=learns(study.denoiser),
        pipeline=json.loads((results / "denoiser" / "model_index.json").read_text(encoding="utf-8"))["_class_name"],
        images=len(images),
        shape=" x ".join(map(str, images.shape[1:])),
        data=origin["data"][:16],
        steps=recipe.steps,
        batch=recipe.batch_size,
        rate=recipe.learning_rate,
        seed=recipe.seed,
        loss=float(curve["loss"][-100:].mean()),
        size=weights.stat().st_size / 1e6,
        weights=artifacts.digest(weights),
        versions=", ".join(
            f"{key} {value}" for key, value in origin["versions"].items() if key in ("torch", "diffusers")
        ),
        study=name,
    )


def main(name: str, root: Path = ROOT) -> None:
    """Copy the network, without what the workflow alone uses, and write its card."""
    study = load_study(root / "config" / "studies" / f"{name}.yaml", retrain=True)
    results = root / "results" / name
    folder = study.denoiser.folder if isinstance(study.denoiser, TrainedDenoiser) else None
    if folder is None or not (results / "training.zarr.zip").is_file():
        sys.exit(
            f"{name} has no trained network: build it with --config studies={name} retrain=true, and name denoiser.folder"
        )
    weights = results / "denoiser" / "unet" / "diffusion_pytorch_model.safetensors"
    if weights.stat().st_size > MOST_BYTES:
        sys.exit(f"{weights} is larger than {MOST_BYTES / 1e6:g} MB: choose a smaller denoiser.architecture")
    target = root / folder
    shutil.copytree(results / "denoiser", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.zarr.zip", ".*"))
    write_text(card(name, study, results), target / "README.md")
    print(json.dumps({"network": folder, "bytes": weights.stat().st_size}))


if __name__ == "__main__":
    main(sys.argv[1])
