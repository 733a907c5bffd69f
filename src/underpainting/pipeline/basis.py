"""The basis as a diffusers component, saved as `basis/` with safetensors, config.json and a card in README.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils.constants import SAFETENSORS_WEIGHTS_NAME
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import BasisFileError, Card, StoredBasis, load_basis, save_basis
from underpainting.io.writing import write_text

HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "revision", "token")


class TeleportBasis(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers has no types
    """Mean, axes and variances of the images that a network was trained on, always in float64.

    Its weights are a file in the format of `basis.stored`; its configuration is the card.

    Args:
        card: as `Card.content` returns it.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, card: Mapping[str, Any]) -> None:
        super().__init__()
        self.card = Card.read(card)

    @classmethod
    def of(cls, stored: StoredBasis) -> TeleportBasis:
        """Make the component from a basis with its card."""
        made = cls(
            card={
                key: list(value) if isinstance(value, tuple) else value for key, value in stored.card.content().items()
            }
        )
        for name, tensor in stored.tensors().items():
            made.register_buffer(name, tensor)
        return made

    @classmethod
    def from_file(cls, path: str | Path) -> TeleportBasis:
        """Load the component from a file that `underpainting basis` or `basis.stored.save_basis` wrote.

        Raises:
            BasisFileError: as `basis.stored.load_basis`.
        """
        return cls.of(load_basis(path))

    @property
    def stored(self) -> StoredBasis:
        """Basis of all images, bases of the classes, and card."""
        return StoredBasis.from_tensors(dict(self.named_buffers()), self.card)

    @property
    def classes(self) -> int:
        """Number of classes that have their own Gaussian."""
        return len(self.card.class_variances)

    def gaussian(self, label: int | None = None) -> Eigenbasis:
        """Return the basis of a class, or that of all images."""
        return self.stored.all_images if label is None else self.stored.classes[label]

    @property
    def device(self) -> torch.device:
        return next(self.buffers()).device

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> TeleportBasis:
        """Move to another device, but keep float64: `pipe.to(torch.float16)` is meant for the network."""
        device = fn(torch.empty(0, dtype=torch.float32, device=self.device)).device
        if device.type != "mps":  # which has no float64; the jump is then made on the CPU
            super()._apply(lambda tensor: tensor.to(device), recurse)
        return self

    def save_pretrained(self, save_directory: str | Path, safe_serialization: bool = True, **_: Any) -> None:
        """Write the component's folder.

        Raises:
            ValueError: a format other than safetensors is requested.
        """
        if not safe_serialization:
            raise ValueError("a basis is saved as safetensors only; leave safe_serialization at True")
        folder = Path(save_directory)
        kept = save_basis(self.stored, folder / SAFETENSORS_WEIGHTS_NAME)
        self.of(kept).save_config(folder)
        write_text(kept.card.text(), folder / "README.md")

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, *, subfolder: str = "", **options: Any
    ) -> TeleportBasis:
        """Read the component's folder from disk or from a repository of the Hub; `torch_dtype` is ignored.

        Raises:
            BasisFileError: as `basis.stored.load_basis`.
        """
        return cls.from_file(
            component_file(pretrained_model_name_or_path, SAFETENSORS_WEIGHTS_NAME, subfolder, options)
        )


def component_file(name: str | Path, file: str, subfolder: str, options: Mapping[str, Any]) -> Path:
    """Find a file of a component in a folder on disk or in a repository of the Hub.

    Args:
        name: folder or repository.
        file: name of the file.
        subfolder: of the component; empty if its files lie in the folder itself.
        options: of diffusers, of which those for the Hub count.

    Raises:
        BasisFileError: there is neither a folder nor such a repository.
    """
    if Path(name).is_dir():
        return Path(name) / subfolder / file
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    chosen = {key: options[key] for key in HUB_OPTIONS if options.get(key) is not None}
    try:
        return Path(hf_hub_download(str(name), file, subfolder=subfolder or None, **chosen))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise BasisFileError(
            f"{name}: neither a folder with a basis nor one on the Hub or in its cache ({error}); "
            "check name, subfolder and network"
        ) from error
