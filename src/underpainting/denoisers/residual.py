r"""A network that learns only what the Gaussian leaves over (the suggestion that closes Wang & Vastola 2023).

On the variance-preserving path, z = alpha x_0 + sigma eps, the velocity is v = (alpha z - x_0) / sigma, and the Gaussian's is

    v_gauss  = (alpha z - E_gauss[x_0 | z]) / sigma = -sigma mu + U diag(g_k) U^T y + (alpha / sigma) (I - U U^T) y
    y        = z - alpha mu,        g_k = alpha sigma (1 - lambda_k) / m_k,        m_k = sigma^2 + alpha^2 lambda_k

Together with a network F it predicts v in one of two forms:

    velocity    v_hat = v_gauss + F(z, t)
    blend       v_hat = sigma^2 v_gauss + alpha^2 F(z, t),       so that  x0_hat = sigma^2 x0_gauss + alpha^2 x0_F

`velocity` is the suggestion to the letter; F's last layer starts at zero, so that an untrained network is the Gaussian. It
learns late, for two likely reasons. v_gauss is the best linear estimate, so the rest is uncorrelated with every linear
function of z, and what a network learns first is missing from its target. And where noise outweighs the image the Gaussian can
hardly be beaten: the rest of most draws is noise to the network, and drowns the gradients of the others.

In `blend` F is a network for all of v. It learns where the image outweighs the noise; elsewhere the Gaussian speaks, and
neither F's errors nor its noisy gradients count. The weight alpha^2 is the order of what the Gaussian leaves over: the Edgeworth
expansion of p(z) in cumulants begins with the third, alpha^3 kappa_3 of the data, which moves the score by order alpha^3, and
E[x_0 | z] and v by order alpha^2. So what F has to add stays of order one. docs/weights.md has the measurement.

The whole predicts v, so that the loss is that of plain v-prediction, number by number. The Gaussian is computed in the network's
own type, outside any autocast.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import unets, weights
from underpainting.io.network_config import image_size, read_config
from underpainting.noise.levels import training_grid

Form = Literal["velocity", "blend"]
CLASS_NAME = "ResidualNetwork"
CONFIG = "config.json"


class Prediction(NamedTuple):
    """What a network of diffusers returns."""

    sample: Tensor


class GaussianVelocity(nn.Module):
    """The velocity of Gaussian data at a level for each image.

    Args:
        mean: shape (pixel,).
        vectors: orthonormal columns, shape (pixel, component).
        variances: shape (component,).
    """

    mean: Tensor
    vectors: Tensor
    variances: Tensor

    def __init__(self, mean: Tensor, vectors: Tensor, variances: Tensor) -> None:
        super().__init__()
        for name, value in {"mean": mean, "vectors": vectors, "variances": variances}.items():
            # no weights: they are not trained, not averaged, and not in snapshots
            self.register_buffer(name, value.float().contiguous(), persistent=False)

    def forward(self, states: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """v_gauss, in the shape of `states`; alpha and sigma have the shape (sample, 1)."""
        centred = states.flatten(1) - alpha * self.mean
        gain = alpha * sigma * (1 - self.variances) / (sigma**2 + alpha**2 * self.variances)
        off_manifold = alpha / sigma
        along = (centred @ self.vectors) * (gain - off_manifold)
        return (off_manifold * centred + along @ self.vectors.T - sigma * self.mean).reshape(states.shape)


class ResidualNetwork(nn.Module):
    """Gaussian and network together, called as `network(z, time).sample` to predict v.

    Args:
        unet: F, a UNet2DModel.
        gaussian: of the data.
        schedule: diffusers scheduler with `alphas_cumprod`.
        form: what F's output means.

    Raises:
        ValueError: an unknown form.
    """

    ratios: Tensor

    def __init__(self, unet: nn.Module, gaussian: GaussianVelocity, schedule: Any, form: Form) -> None:
        super().__init__()
        if form not in get_args(Form):
            raise ValueError(f"residual: {form!r} is unknown; use velocity or blend")
        self.unet, self.gaussian, self.form = unet, gaussian, form
        grid = training_grid(schedule)
        ratios = np.ascontiguousarray((grid.sigma / grid.alpha)[::-1])
        self.register_buffer("ratios", torch.from_numpy(ratios), persistent=False)

    @classmethod
    def untrained(cls, unet: nn.Module, basis: Eigenbasis, schedule: Any, form: Form) -> ResidualNetwork:
        """Before training: in the form `velocity` the Gaussian alone, since F's last layer is set to zero."""
        if form == "velocity":
            last: Any = unet.conv_out
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        return cls(unet, GaussianVelocity(basis.mean, basis.vectors, basis.variances), schedule, form)

    @property
    def config(self) -> Any:
        """That of the UNet."""
        return self.unet.config

    def forward(self, states: Tensor, times: Tensor) -> Prediction:
        """v_hat at z, shape (sample, channel, height, width), and times, shape (sample,), between whole ones, too."""
        learned = self.unet(states, times).sample
        alpha, sigma = self._levels(times, states.dtype)
        with torch.autocast(states.device.type, enabled=False):
            learned, gaussian = learned.to(states.dtype), self.gaussian(states, alpha, sigma)
            if self.form == "velocity":
                return Prediction(gaussian + learned)
            return Prediction(torch.lerp(gaussian, learned, alpha[..., None, None].square()))

    def _levels(self, times: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """alpha and sigma, shape (sample, 1); between whole times sigma / alpha is linear, as `TimeTable` has it."""
        before = times.floor().long().clamp(0, len(self.ratios) - 2)
        ratio = torch.lerp(self.ratios[before], self.ratios[before + 1], times.to(self.ratios.dtype) - before)[:, None]
        alpha = (1 + ratio**2).rsqrt()
        return alpha.to(dtype), (ratio * alpha).to(dtype)

    def save_pretrained(self, folder: str | Path, **_: Any) -> None:
        """Write UNet and Gaussian into one file of weights, beside a configuration that no other class takes for its own."""
        from underpainting.io.writing import write_json

        Path(folder).mkdir(parents=True, exist_ok=True)
        tensors = {f"unet.{key}": value for key, value in self.unet.state_dict().items()}
        tensors |= {f"gaussian.{key}": value for key, value in self.gaussian.named_buffers()}
        save_file(
            {key: value.detach().cpu().contiguous() for key, value in tensors.items()},
            Path(folder) / weights.FILE,
            {"format": "pt"},
        )
        text = json.loads(self.unet.to_json_string())  # type: ignore[operator]
        write_json(text | {"_class_name": CLASS_NAME, "residual": self.form}, Path(folder) / CONFIG)


def load(folder: str | Path, schedule: Any) -> ResidualNetwork:
    """What `ResidualNetwork.save_pretrained` wrote, for the schedule beside it.

    Raises:
        FileNotFoundError: there are no weights.
        ValueError: the weights are not those of UNet and Gaussian.
    """
    config = read_config(Path(folder) / CONFIG)
    plain = {key: value for key, value in config.items() if key != "residual"} | {"_class_name": unets.CLASS_NAME}
    unets.require_unconditional(plain)
    unet, tensors = unets.build_unet(plain, folder), weights.read_weights(folder)
    pixels = plain["in_channels"] * (image_size(plain) or 0) ** 2
    gaussian = _gaussian(pixels, len(tensors.get("gaussian.variances", ())))
    expected = {f"unet.{key}": value for key, value in unet.state_dict().items()} | gaussian
    weights.require_match(expected, tensors, folder)
    unet.load_state_dict({key: tensors[f"unet.{key}"] for key in unet.state_dict()})
    parts = {key.removeprefix("gaussian."): tensors[key] for key in gaussian}
    return ResidualNetwork(unet, GaussianVelocity(**parts), schedule, config["residual"])


def _gaussian(pixels: int, components: int) -> dict[str, Tensor]:
    """The tensors of a Gaussian, empty: their names and shapes."""
    shapes = {"mean": (pixels,), "vectors": (pixels, components), "variances": (components,)}
    return {f"gaussian.{name}": torch.empty(shape, device="meta") for name, shape in shapes.items()}
