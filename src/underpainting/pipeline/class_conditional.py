"""A class-conditional network as one that is called without labels: it closes over those of its batch."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import Tensor, nn

from underpainting.denoisers.adaptive_batches import AdaptiveBatches


class LabelledNetwork(nn.Module):
    """A network and the class of each image, so that `denoisers.DiffusersDenoiser` calls it as it calls any other.

    Args:
        network: called as `network(images, times, class_labels).sample`.
        labels: class of each image, shape (sample,).
    """

    def __init__(self, network: nn.Module, labels: Tensor) -> None:
        super().__init__()
        self.network = network
        self._labels = labels.to(next(network.parameters()).device)
        self._parts = AdaptiveBatches(self._call)

    @property
    def config(self) -> Any:
        return self.network.config

    def forward(self, images: Tensor, times: Tensor) -> UNet2DOutput:
        """The prediction for the whole batch.

        Raises:
            MemoryError: for a part of it, which a caller takes who was refused memory. Which part cannot be told from here;
                parts with their labels have been tried already, down to a single image.
        """
        if len(images) != len(self._labels):
            raise MemoryError("the labels belong to the whole batch")
        # a row for each image, so that a part of a batch keeps its labels
        rows = torch.stack((times.double(), self._labels.double()), 1)
        return UNet2DOutput(sample=self._parts(images, rows))

    def _call(self, images: Tensor, rows: Tensor) -> Tensor:
        times, labels = rows.unbind(1)
        return self.network(images, times.float(), labels.long()).sample
