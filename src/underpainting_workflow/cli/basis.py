"""The command `basis`: compute a basis for jumps from images, a built study, samples of a network, or a text-to-image model."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake_provenance.command_line import Commands, add
from underpainting.samplers.registry import SAMPLERS
from underpainting_workflow.cli import latent_basis, stationary_basis

if TYPE_CHECKING:
    from underpainting.basis.stored import StoredBasis
    from underpainting.images import datasets

HUB, ARTIFACT = "hub:", ".zarr.zip"
# options by the study key that messages of the data set's reader name
OPTIONS = {
    "image_size": "--size",
    "channels": "--channels",
    "resize": "--resize",
    "background": "--background",
    "limit": "--limit",
    "image_column": "--image-column",
    "label_column": "--label-column",
    "split": "--split",
}


class BasisRefusedError(ValueError):
    """No basis can be computed from the arguments; the message says why, and how to correct it."""


def register(commands: Commands) -> None:
    """Add the command `basis`."""
    command = add(
        commands,
        "basis",
        _basis,
        "write mean and principal components of images or latents to a file for the pipelines",
    )
    command.set_defaults(anywhere=True)
    text = "a folder of images, hub:owner/name@commit, or results/STUDY/eigenbasis.zarr.zip"
    command.add_argument("source", nargs="?", metavar="SOURCE", help=text)
    command.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="*.safetensors")
    command.add_argument("--rank", type=_positive, metavar="R", help="number of components; default: all")
    text = (
        "auto: gram for few images, dense for few pixels, else randomized (256 components unless --rank says otherwise)"
    )
    command.add_argument("--method", choices=("auto", "dense", "gram", "randomized"), default="auto", help=text)
    command.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the randomized method")
    text = "float32 halves the file and changes a jump by about 1e-7"
    command.add_argument("--precision", choices=("float64", "float32"), default="float64", help=text)
    _of_images(command.add_argument_group("images"))
    _of_network(command.add_argument_group("a network's own samples, if its training images are not available"))
    latent_basis.add_options(
        command.add_argument_group("a text-to-image model: Gaussians of its latents under prompts")
    )
    stationary_basis.add_options(command.add_argument_group("images or latents of any size"))


def _of_images(group: Any) -> None:
    group.add_argument(
        "--size", type=_positive, metavar="N", help="height and width; default: those of the first image"
    )
    group.add_argument("--channels", type=int, choices=(1, 3), help="grey or RGB; default: as the first image")
    text = "for images of another size: refuse, crop and resample, or pad"
    group.add_argument("--resize", choices=("none", "crop", "pad"), default="none", help=text)
    text = "background of transparent pixels, 0 to 255, or R,G,B; without it such images are refused"
    group.add_argument("--background", type=_colour, metavar="LEVEL", help=text)
    group.add_argument("--limit", type=_positive, metavar="N", help="use only the first N images")
    group.add_argument("--per-class", action="store_true", help="also a Gaussian for each class (sub-folder)")
    group.add_argument("--split", default="train", help="for a data set of the Hub")
    group.add_argument("--image-column", default="image", metavar="NAME", help="for a data set of the Hub")
    group.add_argument("--label-column", metavar="NAME", help="for a data set of the Hub")


def _of_network(group: Any) -> None:
    text = "folder of a diffusers pipeline: variance-preserving, EDM or flow matching"
    group.add_argument("--network", type=Path, metavar="FOLDER", help=text)
    group.add_argument("--samples", type=_positive, metavar="N", help="number of samples, with --prompt of each prompt")
    group.add_argument(
        "--sampler", choices=tuple(name for name, kind in SAMPLERS.items() if not kind.relative), default="ddim"
    )
    group.add_argument("--steps", type=_positive, default=50, metavar="N")
    group.add_argument(
        "--first-seed", type=int, default=0, metavar="N", help="seed of the first sample; the others follow"
    )
    group.add_argument("--batch-size", type=_positive, default=64, metavar="N", help="images per network call")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def _colour(text: str) -> int | list[int]:
    levels = [int(level) for level in text.split(",")]
    return levels[0] if len(levels) == 1 else levels


def _basis(options: argparse.Namespace) -> int:
    if sum(place is not None for place in (options.source, options.network, options.pipeline)) != 1:
        raise BasisRefusedError(
            "give either SOURCE, a folder or hub:owner/name@commit, or --network FOLDER, or --pipeline FOLDER"
        )
    if options.pipeline is None and (options.prompt or options.captions or options.images):
        raise BasisRefusedError("--prompt, --captions and --images need --pipeline FOLDER, the text-to-image model")
    try:
        made = _made(options)
    except (ValueError, FileNotFoundError) as error:
        raise BasisRefusedError(_in_options(error)) from error
    if made is not None:
        _write(made, options)
    return 0


def _write(made: StoredBasis, options: argparse.Namespace) -> None:
    """Write a basis, and print what it is."""
    from underpainting.basis.stored import save_basis

    card = save_basis(made, options.output, options.precision).card
    shape = " x ".join(map(str, card.image_shape))
    kind = "images" if card.latents is None else "latents"
    print(f"{options.output}: {card.rank} components of {shape} {kind}, by the method {card.method}")
    count = "" if card.count is None else f", {card.count:,} {kind}"
    print(f"{card.explained_variance:.2%} of the variance of {card.source}{count}")
    if card.class_variances:
        print(
            f"also a Gaussian for each of {len(card.class_variances)} {'classes' if card.latents is None else 'prompts'}"
        )


def _made(options: argparse.Namespace) -> StoredBasis | None:
    """Return the basis; None if it is of another kind, which is written then."""
    stationary_basis.require_options(options)
    if options.pipeline is not None:
        return latent_basis.make(options)
    if options.network is not None:
        return _of_samples(options)
    if options.source.endswith(ARTIFACT) and not options.stationary:
        return _of_study(options)
    return _of_source(options)


def _of_study(options: argparse.Namespace) -> StoredBasis:
    from underpainting.basis.stored import from_artifacts

    moments = Path(options.source).with_name("moments.zarr.zip")
    return from_artifacts(options.source, moments if moments.is_file() else None, options.per_class, options.rank)


def _of_source(options: argparse.Namespace) -> StoredBasis | None:
    from underpainting.basis import estimate

    source, target = _opened(options)
    name = _name(options.source)
    if options.stationary:
        stationary_basis.write(options, source, target, name)
        return None
    return estimate.basis_of_source(source, target, name, options.per_class, options.limit, **_how(options))


def _opened(options: argparse.Namespace) -> tuple[datasets.Source, datasets.ImageFormat]:
    """Open the source of images, and find the format of the first where no option says it."""
    from pydantic import TypeAdapter

    from underpainting.basis import estimate
    from underpainting_workflow.studies.data import Dataset, DatasetBase

    content = {key: getattr(options, key) for key in ("resize", "limit", "background")} | _place(options)
    provisional = {"image_size": options.size or 1, "channels": options.channels or 1}
    adapter: TypeAdapter[DatasetBase] = TypeAdapter(Dataset)
    source = adapter.validate_python({**content, **provisional}).open()
    if not (options.size and options.channels):
        channels, side = estimate.first_shape(source, any_shape=options.size is not None)
        provisional = {"image_size": options.size or side, "channels": options.channels or channels}
    return source, adapter.validate_python({**content, **provisional}).format


def _place(options: argparse.Namespace) -> dict[str, Any]:
    """Return the source of the images, as keys of a study's section `dataset`."""
    if not options.source.startswith(HUB):
        if not Path(options.source).is_dir():
            raise BasisRefusedError(
                f"there is no folder {options.source}; correct SOURCE, or write hub:owner/name@commit"
            )
        return {"source": "folder", "path": options.source}
    repository, _, revision = options.source.removeprefix(HUB).rpartition("@")
    if not repository:
        raise BasisRefusedError(
            f"{options.source} names no commit; write hub:owner/name@ and its 40 hexadecimal digits"
        )
    columns = {"split": options.split, "image_column": options.image_column, "label_column": options.label_column}
    return {"source": "huggingface", "repository": repository, "revision": revision, **columns}


def _name(source: str) -> str:
    """Describe the source of the images, without the path of a folder."""
    if source.startswith(HUB):
        return f"the data set {source.removeprefix(HUB)}"
    return f"the folder {Path(source).resolve().name}"


def _of_samples(options: argparse.Namespace) -> StoredBasis:
    from underpainting.denoisers import load_denoiser
    from underpainting.denoisers.latent_folders import is_latent_folder
    from underpainting.samplers import own_basis
    from underpainting.samplers.walk import Sampler

    if options.samples is None:
        raise BasisRefusedError("--network needs --samples, the number of images to make")
    if is_latent_folder(options.network):
        raise BasisRefusedError(f"{options.network} is a text-to-image model; give it as --pipeline, with --prompt")
    if options.per_class:
        raise BasisRefusedError("samples of a network have no classes; leave --per-class out")
    denoiser, schedule = load_denoiser(options.network)
    sampler = Sampler(options.sampler, options.steps, schedule)
    seeds = range(options.first_seed, options.first_seed + options.samples)
    how = f"{options.sampler}, {options.steps} steps, seeds from {options.first_seed}"
    name = f"samples of the network {options.network.resolve().name} ({how})"
    return own_basis.of_samples(
        denoiser, sampler, seeds, denoiser.image_shape, name, options.batch_size, **_how(options)
    )


def _how(options: argparse.Namespace) -> dict[str, Any]:
    return {"method": options.method, "rank": options.rank, "seed": options.seed}


def _in_options(error: Exception) -> str:
    """Translate the study keys of a message to the options of this command."""
    from pydantic import ValidationError

    from underpainting.io.errors import InputError
    from underpainting_workflow.studies.data import Dataset
    from underpainting_workflow.studies.errors import from_validation

    if isinstance(error, ValidationError):
        error = InputError(from_validation(error, Dataset).within(key="dataset").problems[0])

    def option(match: re.Match[str]) -> str:
        key, value = match.groups()
        name = OPTIONS.get(key, "SOURCE")
        return f"{name} {value}" if value else name

    return re.sub(r"\bdataset\.(\w+)(?:\[\d+\])*(?:: (\d+|crop|pad)\b)?", option, str(error))
