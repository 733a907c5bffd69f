"""The library's own tensors on disk: safetensors with words about them, and a digest of both; what was altered is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from underpainting.io.messages import describe_error
from underpainting.io.writing import replacing

KEY = "underpainting"  # a single key: safetensors writes several in an order that changes from call to call


class TensorFileError(ValueError):
    """A file does not hold what was written into it; the message names it."""


def digest(tensors: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> str:
    """SHA-256 of names, types, shapes and values, and of plain values about them, in hexadecimal."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.numpy().data)
    if about is not None:
        total.update(json.dumps(about, sort_keys=True).encode())
    return total.hexdigest()


def require_finite(tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Refuse to write numbers that are not finite.

    Raises:
        TensorFileError: a tensor holds some.
    """
    if wrong := [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]:
        raise TensorFileError(
            f"{path}: {', '.join(wrong[:3])} of {len(tensors)} tensors are not finite; nothing was written"
        )


def write(path: str | Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, complete or not at all; the same tensors and words give the same bytes.

    Args:
        path: `*.safetensors`.
        tensors: by name.
        about: plain values, as JSON keeps them.

    Raises:
        TensorFileError: a tensor holds numbers that are not finite.
    """
    require_finite(tensors, path)
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = {"about": dict(about), "sha256": digest(kept, about)}
    with replacing(path) as scratch:
        save_file(kept, scratch, {KEY: json.dumps(content, sort_keys=True)})


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write` wrote: the tensors, and the words about them.

    Raises:
        TensorFileError: the file is missing, damaged, or of another kind.
    """
    try:
        with safe_open(path, "pt") as file:
            content = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
        about = dict(content["about"])
        if content["sha256"] != digest(tensors, about):
            raise ValueError("its tensors are not those that were written")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        problem = describe_error(error)
        raise TensorFileError(f"{path} cannot be read ({problem}); delete it and run snakemake again") from error
    return tensors, about
