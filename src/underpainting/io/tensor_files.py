"""Reads and writes the library's tensors as safetensors with metadata; a digest of both reveals alterations."""

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

from underpainting.io.conventions import KEY
from underpainting.io.messages import describe_error
from underpainting.io.writing import replacing


class TensorFileError(ValueError):
    """Error for a tensor file that is missing, damaged or altered; the message names it."""


def digest(tensors: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> str:
    """Compute the SHA-256 of the names, types, shapes and values of tensors and of their metadata, in hexadecimal."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.numpy().data)
    if about is not None:
        total.update(json.dumps(about, sort_keys=True).encode())
    return total.hexdigest()


def require_finite(tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Check that tensors are finite before they are written.

    Raises:
        TensorFileError: a tensor holds numbers that are not finite.
    """
    if wrong := [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]:
        raise TensorFileError(
            f"{path}: {', '.join(wrong[:3])} of {len(tensors)} tensors are not finite; nothing was written"
        )


def write(path: str | Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors atomically; the same tensors and metadata give the same bytes.

    Args:
        path: `*.safetensors`.
        tensors: by name.
        about: metadata, plain values that JSON can hold.

    Raises:
        TensorFileError: a tensor holds numbers that are not finite.
    """
    require_finite(tensors, path)
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = {"about": dict(about), "sha256": digest(kept, about)}
    with replacing(path) as scratch:
        save_file(kept, scratch, {KEY: json.dumps(content, sort_keys=True)})


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and metadata that `write` wrote.

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
