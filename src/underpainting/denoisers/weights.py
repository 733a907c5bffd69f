"""Reads weights in safetensors, and refuses files whose tensors are not exactly those of the network.

A folder holds one set of weights: one file, or shards and the index that lists them. If there is no set in full
precision, a single variant is read (`diffusion_pytorch_model.fp16.safetensors`); several variants are refused. The
files of diffusers begin with `diffusion_pytorch_model`, those of transformers with `model`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from underpainting.io.errors import InputError, MissingFileError, Problem
from underpainting.io.messages import describe_error

DIFFUSERS, TRANSFORMERS = "diffusion_pytorch_model", "model"
FILE = f"{DIFFUSERS}.safetensors"
SHOWN = 5
_SHARD = re.compile(r"-\d+-of-\d+\b")
_ONE = r"(?:\.(?P<variant>.+))?\.safetensors"
_INDEX = r"\.safetensors\.index(?:\.(?P<variant>.+))?\.json"
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class WeightsError(InputError):
    """Error for weights that do not fit their network.

    Args:
        problem: what is wrong, with the file's name.
        remedy: what to do.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(Problem(problem, remedy))


def find_weights(folder: str | Path, variant: str = "", stem: str = DIFFUSERS) -> Path:
    """Return the path of a folder's weights, or of the index of its shards.

    Args:
        folder: of the weights.
        variant: set of weights to read, as diffusers names it (`fp16`); full precision by default.
        stem: begin of the files' names, `DIFFUSERS` or `TRANSFORMERS`.

    Raises:
        FileNotFoundError: there are no safetensors.
        WeightsError: there are several sets of weights, or shards without an index.
    """
    folder = Path(folder)
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    sets: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if match := re.fullmatch(stem + _INDEX, name) or (not _SHARD.search(name) and re.fullmatch(stem + _ONE, name)):
            sets[match["variant"] or ""].append(name)
    found = sets[variant] if variant in sets else [] if variant else [name for group in sets.values() for name in group]
    if len(found) > 1:
        raise WeightsError(f"{folder} holds several sets of weights: {', '.join(found[:SHOWN])}", "leave one there")
    if not found and (shards := [name for name in names if _SHARD.search(name) and name.endswith(".safetensors")]):
        raise WeightsError(
            f"{folder} holds {shards[0]} but no index of shards, {stem}.safetensors.index.json", "add it"
        )
    if not found:
        problem = f"{folder / stem}.safetensors is missing: only safetensors are read, never a pickle"
        raise MissingFileError(Problem(problem, "convert the weights first (see docs/weights.md)"))
    return folder / found[0]


def are_complete(folder: str | Path) -> bool:
    """Return whether all files of a folder's weights exist; the Hub's cache may hold only some."""
    try:
        source = find_weights(folder)
        return source.suffix != ".json" or all(source.with_name(shard).is_file() for shard in _index(source).values())
    except (FileNotFoundError, WeightsError):
        return False


def read_weights(folder: str | Path, variant: str = "", stem: str = DIFFUSERS) -> dict[str, Tensor]:
    """Read all tensors of a folder's weights, by name; arguments as for `find_weights`.

    Raises:
        FileNotFoundError: there are no safetensors.
        WeightsError: a file is damaged, or shards are not those of their index.
    """
    source = find_weights(folder, variant, stem)
    if source.suffix != ".json":
        return _tensors(source)
    places = _index(source)
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(places.values())):
        held = _tensors(source.with_name(shard))
        listed = {name for name, place in places.items() if place == shard}
        if wrong := sorted(listed ^ held.keys()):
            raise WeightsError(f"{source} and {shard} disagree about {_abbreviate(wrong)}", "get both again")
        tensors |= held
    return tensors


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        with safe_open(file, "pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  no mapping
    except (SafetensorError, OSError, ValueError) as error:
        problem = f"{file} cannot be read ({describe_error(error)})"
        raise WeightsError(problem, "get the file again") from error


def _index(file: Path) -> dict[str, str]:
    """Read the shard of each tensor from the folder's index."""
    try:
        places = json.loads(file.read_text(encoding="utf-8"))["weight_map"]
        shards = set(places.values())
        beside = bool(shards) and all(shard == Path(shard).name for shard in shards)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        beside = False
    if not beside:
        raise WeightsError(f"{file} is no index of shards in its folder", "get the file again")
    return dict(places)


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Load tensors into a network, after a check of names, shapes, types and finite values.

    Args:
        network: changed in place.
        tensors: by name.
        source: origin of the tensors, for messages.

    Raises:
        WeightsError: a tensor is missing, unexpected, of another shape or type, or not finite.
    """
    require_match(network.state_dict(), tensors, source)
    network.load_state_dict(dict(tensors))


def require_match(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Check that tensors have the expected names, shapes and types, and are finite; errors as `load_weights`."""
    wrong = [f"{name} is missing" for name in expected if name not in tensors]
    wrong += [f"{name} is unexpected" for name in tensors if name not in expected]
    wrong += [
        f"{name} {fault}"
        for name, tensor in tensors.items()
        if name in expected
        if (fault := _mismatch(tensor, expected[name]))
    ]
    if wrong:
        raise WeightsError(
            f"the weights in {source} are not the network's: {_abbreviate(wrong)}", _remedy(expected, tensors)
        )


def _mismatch(tensor: Tensor, expected: Tensor) -> str:
    """Describe the first mismatch of a tensor; return an empty text if there is none."""
    if tensor.shape != expected.shape:
        return f"has the shape {tuple(tensor.shape)}, not {tuple(expected.shape)}"
    if not expected.is_floating_point():
        return "" if tensor.dtype == expected.dtype else f"is of type {tensor.dtype}, not {expected.dtype}"
    if tensor.dtype not in _FLOATS:
        return f"is of type {tensor.dtype}, not of {', '.join(map(str, _FLOATS))}"
    return "" if bool(torch.isfinite(tensor.to(expected.dtype)).all()) else "is not finite"


def _abbreviate(names: list[str]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:200] for name in names[:SHOWN]) + more


def _remedy(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> str:
    for name in expected:
        prefixes = {other.removesuffix(name) for other in tensors if other.endswith(f".{name}")}
        if len(prefixes) == 1 and {f"{prefix}{key}" for prefix in prefixes for key in expected} == set(tensors):
            return f"every name begins with {prefixes.pop()[:200]!r}: save the network inside, as save_pretrained does"
        break
    return "use weights and config.json that were saved together"
