"""The command `basis` for text-to-image models: Gaussians of latents under prompts, or their regression on the text."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from underpainting.io.errors import InputError, MissingFileError, Problem

if TYPE_CHECKING:
    from torch import Tensor

    from underpainting.basis.stored import StoredBasis
    from underpainting.denoisers.latent_model import LatentModel

FILE, TEXT = "file_name", "text"
GUIDANCE = 7.5
AT_ONCE = 64


class Caption(NamedTuple):
    """An image file and its caption."""

    file: Path
    text: str


def add_options(group: Any) -> None:
    """Add the options of text-to-image models."""
    text = "folder in the layout of diffusers' StableDiffusionPipeline; with --samples and --prompt, or --captions and --images"
    group.add_argument("--pipeline", type=Path, metavar="FOLDER", help=text)
    text = "a prompt whose latents to sample; may be given several times, each then has its own Gaussian"
    group.add_argument("--prompt", action="append", default=[], metavar="TEXT", help=text)
    group.add_argument("--negative-prompt", default="", metavar="TEXT", help="default: the empty prompt")
    group.add_argument(
        "--guidance", type=float, metavar="W", help=f"guidance scale of the samples; default: {GUIDANCE}"
    )
    text = f"table of captions with the columns {FILE} and {TEXT}, *.csv or *.jsonl: a regression on the text, for any prompt"
    group.add_argument("--captions", type=Path, metavar="FILE", help=text)
    group.add_argument("--images", type=Path, metavar="FOLDER", help="the images of the captions")


def make(options: argparse.Namespace) -> StoredBasis | None:
    """Make the basis of a latent model and return it; None if it is a regression, which is written to `options.output`.

    Raises:
        ValueError: options that do not fit each other, or the model or the images cannot be used.
    """
    _require_options(options)
    if options.captions is not None:
        _write_regression(options)
        return None
    return _of_samples(options)


def _require_options(options: argparse.Namespace) -> None:
    if bool(options.prompt) == (options.captions is not None):
        raise InputError(Problem("--pipeline needs prompts or captions", "give --prompt TEXT, or --captions FILE"))
    if (options.captions is None) != (options.images is None):
        raise InputError(Problem("--captions and --images belong together", "give both"))
    if options.prompt and options.samples is None:
        raise InputError(Problem("--prompt needs a number of samples", "give --samples, some hundreds"))
    if options.captions is not None and (options.samples is not None or options.guidance is not None):
        raise InputError(Problem("--samples and --guidance are for --prompt", "leave them out with --captions"))
    for name in ("size", "channels"):
        if getattr(options, name) is not None:
            raise InputError(Problem(f"--{name} is the model's with --pipeline", "leave it out"))
    if options.per_class:
        raise InputError(Problem("--per-class is for images in sub-folders", "give --prompt several times"))


def _of_samples(options: argparse.Namespace) -> StoredBasis:
    from underpainting.denoisers.latent_model import LatentModel
    from underpainting.denoisers.prompted import Guidance
    from underpainting.samplers import own_basis
    from underpainting.samplers.walk import Sampler

    guidance = Guidance(GUIDANCE if options.guidance is None else options.guidance)
    model = LatentModel.load(options.pipeline)
    sampler = Sampler(options.sampler, options.steps, model.schedule)
    seeds = range(options.first_seed, options.first_seed + options.samples)
    about = f"{options.sampler}, {options.steps} steps, guidance {guidance.scale:g}, seeds from {options.first_seed}"
    name = f"samples of the model {options.pipeline.resolve().name} ({about})"
    size = {"batch_size": options.batch_size, "rank": options.rank}
    return own_basis.of_prompts(
        model, sampler, options.prompt, seeds, guidance, options.negative_prompt, name=name, **size
    )


def _write_regression(options: argparse.Namespace) -> None:
    from underpainting.basis import prompts
    from underpainting.denoisers.captioned_latents import captioned_latents
    from underpainting.denoisers.latent_model import LatentModel

    captions = read_captions(options.captions, options.images)[: options.limit]
    model = LatentModel.load(options.pipeline)
    data = captioned_latents(model, _images(captions, model, options), [caption.text for caption in captions])
    regression, choice = prompts.fit(data, rank=options.rank, seed=options.seed)
    space = {"scaling_factor": model.scaling_factor, "vae_digest": model.vae_digest}
    source = f"the folder {options.images.resolve().name} with the captions {options.captions.name}"
    about = {"source": source, "count": len(captions), "latents": space, "chosen": choice._asdict()}
    prompts.save(regression, options.output, about)
    shape = " x ".join(map(str, model.latent_shape))
    print(f"{options.output}: regression of {shape} latents on {len(data.embeddings):,} different captions")
    print(f"{regression.residual.rank} components of the residuals; {source}, {len(captions):,} images")


def _images(captions: list[Caption], model: LatentModel, options: argparse.Namespace) -> Iterator[Tensor]:
    """Yield batches of images as the model knows them, in [-1, 1]."""
    import torch

    from underpainting.images import datasets

    channels, height, _ = model.image_shape
    target = datasets.ImageFormat(height, channels, options.resize)
    source = datasets.FolderSource(options.images, options.background, [caption.file for caption in captions])
    try:
        for pixels, _ in datasets.read_batches(source, target, AT_ONCE):
            yield torch.from_numpy(pixels).float() / 127.5 - 1
    except datasets.DataError as error:
        if (found := error.problems[0]).key != "dataset.image_size":
            raise
        raise InputError(Problem(found.problem, "the size is the model's: give --resize crop, or pad")) from error


def read_captions(table: Path, folder: Path) -> list[Caption]:
    """Read a table of captions, and find the image files that it names.

    Args:
        table: CSV with a heading, or JSON lines; the columns `file_name` and `text`, as in image folders of the Hub.
        folder: of the files.

    Raises:
        InputError: the table cannot be read, lacks a column, or names a file that is not there.
    """
    if not table.is_file():
        raise MissingFileError(Problem(f"there is no file {table}", "correct --captions"))
    rows = list(_rows(table))
    if wrong := next((row for row in rows if not all(isinstance(row.get(key), str) for key in (FILE, TEXT))), None):
        problem = f"{table}: the row {str(wrong)[:200]} has no {FILE} and {TEXT}"
        raise InputError(Problem(problem, f"give a table with the columns {FILE} and {TEXT}"))
    if not rows:
        raise InputError(Problem(f"{table} has no captions", "give one per image"))
    found = [Caption(folder / row[FILE], row[TEXT]) for row in rows]
    if missing := [caption.file for caption in found if not caption.file.is_file()]:
        problem = f"{table} names {missing[0]} and {len(missing) - 1} more files that are not there"
        raise MissingFileError(Problem(problem, "correct --images, or the table"))
    return found


def _rows(table: Path) -> Iterator[dict[str, Any]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        if table.suffix.lower() == ".csv":
            yield from csv.DictReader(text.splitlines())
        else:
            yield from (dict(json.loads(line)) for line in text.splitlines() if line.strip())
    except (ValueError, TypeError, csv.Error) as error:
        problem = f"{table} cannot be read ({str(error)[:200]})"
        raise InputError(Problem(problem, "give *.csv with a heading, or *.jsonl, in UTF-8")) from error
