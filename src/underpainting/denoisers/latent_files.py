"""Copies the folder of a latent model into one layout, whatever the layout of its source.

The copy has one file of safetensors for each network, in the source's number format, tokenizer.json, and no safety
checker; `StableDiffusionPipeline.from_pretrained` reads it. `latent_folders` describes the sources.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from safetensors.torch import save_file

from underpainting.denoisers import latent_folders, latent_model, weights
from underpainting.io.network_config import read_config
from underpainting.io.tensor_files import require_finite
from underpainting.io.writing import publish, remove_leftovers, write_json

_SCHEDULER = "scheduler/scheduler_config.json"
COPIED = (
    *(f"{part}/config.json" for part in latent_folders.STEMS),
    *(f"{part}/{stem}.safetensors" for part, stem in latent_folders.STEMS.items()),
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    _SCHEDULER,
    latent_folders.INDEX,
)
"""Files of a copy."""


def patterns(variant: str = "") -> list[str]:
    """Return patterns of the files to download: one set of weights, and no pickle.

    Args:
        variant: set of weights, as diffusers names it (`fp16`); full precision by default.
    """
    mark = f".{variant}" if variant else ""
    networks = [f"{part}/{stem}" for part, stem in latent_folders.STEMS.items()]
    names = (f"{mark}.safetensors", f".safetensors.index{mark}.json", "-?????-of-?????.safetensors")
    kept = [f"{network}{name}" for network in networks for name in (names[:2] if variant else names)]
    return [pattern for pattern in latent_folders.FILES if "safetensors" not in pattern] + kept


def copy(source: str | Path, folder: str | Path, variant: str = "") -> None:
    """Copy a latent model; every file is complete or absent, and the index comes last.

    Args:
        source: a folder as `latent_folders` describes it.
        folder: of the copy.
        variant: set of weights to read, as diffusers names it (`fp16`); full precision by default.

    Raises:
        MissingFileError: a component or its weights in safetensors are missing.
        InputError: the model is of another kind, or a file is damaged.
        TensorFileError: a network holds numbers that are not finite.
    """
    source, folder = Path(source), Path(folder)
    latent_folders.read_layout(source)
    index_file = folder / latent_folders.INDEX
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(index_file)
    with tempfile.TemporaryDirectory(prefix=f".{index_file.name}.{os.getpid()}.", suffix=".tmp", dir=folder) as name:
        scratch = Path(name)
        for part, stem in latent_folders.STEMS.items():
            _copy_network(source / part, scratch / part, stem, variant)
        latent_model.load_tokenizer(source / "tokenizer").save_pretrained(scratch / "tokenizer")
        write_json(read_config(source / _SCHEDULER), scratch / _SCHEDULER)
        for file in sorted(file for file in scratch.rglob("*") if file.is_file()):
            target = folder / file.relative_to(scratch)
            target.parent.mkdir(exist_ok=True)
            publish(file, target)
    _write_index(read_config(source / latent_folders.INDEX), index_file)


def _copy_network(source: Path, folder: Path, stem: str, variant: str) -> None:
    tensors = weights.read_weights(source, variant, stem)
    require_finite(tensors, source)
    write_json(read_config(source / "config.json"), folder / "config.json")
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        folder / f"{stem}.safetensors",
        {"format": "pt"},
    )


def _write_index(index: dict[str, object], file: Path) -> None:
    """Write the index of the components that are copied."""
    kept = {part: index[part] for part in (*latent_folders.CLASSES, "scheduler")}
    absent = {part: [None, None] for part in ("safety_checker", "feature_extractor", "image_encoder")}
    version = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": index.get("_diffusers_version", "")}
    write_json({**version, **kept, **absent, "requires_safety_checker": False}, file)
