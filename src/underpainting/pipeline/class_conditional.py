"""A class-conditional network with the labels of a batch, called without labels."""

from __future__ import annotations

from typing import Any

from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import Tensor, nn

from underpainting.denoisers.adaptive_batches import AdaptiveBatches


class LabelledNetwork(nn.Module):
    """A network and the class of each image, which `denoisers.DiffusersDenoiser` can call as an unconditional network.

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
        """Return the prediction for the complete batch.

        Raises:
            MemoryError: only a part of the batch is given, as by a caller that ran out of memory. Its labels are unknown
                here; parts with their labels have been tried already, down to a single image.
        """
        if len(images) != len(self._labels):
            raise MemoryError("the labels belong to the whole batch")
        return UNet2DOutput(sample=self._parts(images, times, self._labels))

    def _call(self, images: Tensor, times: Tensor, labels: Tensor) -> Tensor:
        return self.network(images, times, labels).sample
