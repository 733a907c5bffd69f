r"""A network that learns the residual of the Gaussian's velocity (suggested at the end of Wang & Vastola 2023).

On the variance-preserving path, z = alpha x_0 + sigma eps, the velocity is v = (alpha z - x_0) / sigma, and the
Gaussian's is

    v_gauss  = (alpha z - E_gauss[x_0 | z]) / sigma = -sigma mu + U diag(g_k) U^T y + (alpha / sigma) (I - U U^T) y
    y        = z - alpha mu,        g_k = alpha sigma (1 - lambda_k) / m_k,        m_k = sigma^2 + alpha^2 lambda_k

Together with a network F it predicts v in one of two forms:

    velocity    v_hat = v_gauss + F(z, t)
    blend       v_hat = sigma^2 v_gauss + alpha^2 F(z, t),       so that  x0_hat = sigma^2 x0_gauss + alpha^2 x0_F

`velocity` is the literal suggestion; F's last layer starts at zero, so that an untrained network is the Gaussian. It
learns late, for two likely reasons. v_gauss is the best linear estimate, so the residual is uncorrelated with every
linear function of z, which a network would learn first. And where noise outweighs the image the Gaussian is nearly
optimal: the residual of most draws is noise to the network and dominates the gradients of the others.

In `blend` F is a network for all of v. It learns where the image outweighs the noise; elsewhere the Gaussian
determines v_hat, and F's errors and noisy gradients have little weight. alpha^2 is the order of the Gaussian's
residual: the Edgeworth expansion of p(z) in cumulants begins with the third, alpha^3 kappa_3 of the data, which
changes the score by order alpha^3, and E[x_0 | z] and v by order alpha^2. So F's contribution stays of order one.
docs/weights.md has the measurement.

Both forms predict v, so that the loss equals that of plain v-prediction. The Gaussian is computed in the network's
type, outside any autocast.
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
    """Return value of a network of diffusers."""

    sample: Tensor


class GaussianVelocity(nn.Module):
    """Velocity of Gaussian data, at one noise level per image.

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
        """Compute v_gauss, in the shape of `states`; alpha and sigma have the shape (sample, 1)."""
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
        form: meaning of F's output.

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
        """Make an untrained network; in the form `velocity` F's last layer is zero, which gives the Gaussian."""
        if form == "velocity":
            last: Any = unet.conv_out
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        return cls(unet, GaussianVelocity(basis.mean, basis.vectors, basis.variances), schedule, form)

    @property
    def config(self) -> Any:
        """Configuration of the UNet."""
        return self.unet.config

    def forward(self, states: Tensor, times: Tensor) -> Prediction:
        """Return v_hat at z, shape (sample, channel, height, width), and times, shape (sample,), not only integers."""
        learned = self.unet(states, times).sample
        alpha, sigma = self._levels(times, states.dtype)
        with torch.autocast(states.device.type, enabled=False):
            learned, gaussian = learned.to(states.dtype), self.gaussian(states, alpha, sigma)
            if self.form == "velocity":
                return Prediction(gaussian + learned)
            return Prediction(torch.lerp(gaussian, learned, alpha[..., None, None].square()))

    def _levels(self, times: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Compute alpha and sigma, shape (sample, 1); sigma / alpha is interpolated linearly, as in `TimeTable`."""
        before = times.floor().long().clamp(0, len(self.ratios) - 2)
        ratio = torch.lerp(self.ratios[before], self.ratios[before + 1], times.to(self.ratios.dtype) - before)[:, None]
        alpha = (1 + ratio**2).rsqrt()
        return alpha.to(dtype), (ratio * alpha).to(dtype)

    def save_pretrained(self, folder: str | Path, **_: Any) -> None:
        """Write UNet and Gaussian into one file of weights, and a configuration that no other class accepts."""
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
    """Load a network that `ResidualNetwork.save_pretrained` wrote, with its noise schedule.

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
    """Return the names and shapes of a Gaussian's tensors, as tensors on the meta device."""
    shapes = {"mean": (pixels,), "vectors": (pixels, components), "variances": (components,)}
    return {f"gaussian.{name}": torch.empty(shape, device="meta") for name, shape in shapes.items()}
