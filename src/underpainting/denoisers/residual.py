r"""A network that learns only what the Gaussian leaves over (the suggestion that closes Wang & Vastola 2023).

On the variance-preserving path, z = alpha x_0 + sigma eps, the velocity v = (alpha z - x_0) / sigma is the Gaussian's and a rest:

    v_hat    = v_gauss + rest
    v_gauss  = (alpha z - E_gauss[x_0 | z]) / sigma = -sigma mu + U diag(g_k) U^T y + (alpha / sigma) (I - U U^T) y
    y        = z - alpha mu,        g_k = alpha sigma (1 - lambda_k) / m_k,        m_k = sigma^2 + alpha^2 lambda_k

    velocity    rest = F(z, t)
    posterior   rest = U diag(sqrt(lambda_k / m_k)) U^T F(z, t)

Under the Gaussian the rest has the variance lambda_k / m_k along a component: the posterior variance of x_0,
lambda_k sigma^2 / m_k, over sigma^2. So in the form `posterior` F has to have unit variance along every component, and directions
in which the data do not vary are left to the Gaussian at all times. F's last layer starts at zero in both forms: an untrained
network is the Gaussian.

The whole predicts v, so that the loss is that of plain v-prediction, number by number. The Gaussian is computed in the network's
own type, outside any autocast.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from underpainting.eigenbasis import Eigenbasis
from underpainting.noise import training_grid

Form = Literal["velocity", "posterior"]
CLASS_NAME = "ResidualNetwork"
CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"


class Prediction(NamedTuple):
    """What a network of diffusers returns."""

    sample: Tensor


class GaussianVelocity(nn.Module):
    """The velocity of Gaussian data at a level for each image, and the size of what it leaves over.

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
        gain = alpha * sigma * (1 - self.variances) / self._marginal(alpha, sigma)
        off_manifold = alpha / sigma
        along = (centred @ self.vectors) * (gain - off_manifold)
        return (off_manifold * centred + along @ self.vectors.T - sigma * self.mean).reshape(states.shape)

    def rescale(self, rest: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """U diag(sqrt(lambda / m)) U^T of a tensor of images."""
        size = (self.variances / self._marginal(alpha, sigma)).sqrt()
        return ((rest.flatten(1) @ self.vectors * size) @ self.vectors.T).reshape(rest.shape)

    def _marginal(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return sigma**2 + alpha**2 * self.variances


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
            raise ValueError(f"residual: {form!r} is unknown; use velocity or posterior")
        self.unet, self.gaussian, self.form = unet, gaussian, form
        grid = training_grid(schedule)
        ratios = np.ascontiguousarray((grid.sigma / grid.alpha)[::-1])
        self.register_buffer("ratios", torch.from_numpy(ratios), persistent=False)

    @classmethod
    def untrained(cls, unet: nn.Module, basis: Eigenbasis, schedule: Any, form: Form) -> ResidualNetwork:
        """The Gaussian alone: F's last layer is set to zero."""
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
        rest = self.unet(states, times).sample
        alpha, sigma = self._levels(times, states.dtype)
        with torch.autocast(states.device.type, enabled=False):
            rest = rest.to(states.dtype)
            if self.form == "posterior":
                rest = self.gaussian.rescale(rest, alpha, sigma)
            return Prediction(self.gaussian(states, alpha, sigma) + rest)

    def _levels(self, times: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """alpha and sigma, shape (sample, 1); between whole times sigma / alpha is linear, as `TimeTable` has it."""
        before = times.floor().long().clamp(0, len(self.ratios) - 2)
        ratio = torch.lerp(self.ratios[before], self.ratios[before + 1], times.to(self.ratios.dtype) - before)[:, None]
        alpha = (1 + ratio**2).rsqrt()
        return alpha.to(dtype), (ratio * alpha).to(dtype)

    def save_pretrained(self, folder: str | Path, **_: Any) -> None:
        """Write UNet and Gaussian into one file of weights, beside a configuration that no other class takes for its own."""
        from underpainting.writing import write_json

        Path(folder).mkdir(parents=True, exist_ok=True)
        tensors = {f"unet.{key}": value for key, value in self.unet.state_dict().items()}
        tensors |= {f"gaussian.{key}": value for key, value in self.gaussian.named_buffers()}
        save_file(
            {key: value.detach().cpu().contiguous() for key, value in tensors.items()},
            Path(folder) / WEIGHTS,
            {"format": "pt"},
        )
        text = json.loads(self.unet.to_json_string())  # type: ignore[operator]
        write_json(text | {"_class_name": CLASS_NAME, "residual": self.form}, Path(folder) / CONFIG)


def load(folder: str | Path, schedule: Any) -> ResidualNetwork:
    """What `ResidualNetwork.save_pretrained` wrote, for the schedule beside it."""
    from diffusers.models.unets.unet_2d import UNet2DModel

    config = json.loads((Path(folder) / CONFIG).read_text(encoding="utf-8"))
    tensors = load_file(Path(folder) / WEIGHTS)
    parts: dict[str, dict[str, Tensor]] = {"unet": {}, "gaussian": {}}
    for key, value in tensors.items():
        part, _, name = key.partition(".")
        parts[part][name] = value
    unet: Any = UNet2DModel.from_config({key: value for key, value in config.items() if key != "residual"})
    unet.load_state_dict(parts["unet"])
    return ResidualNetwork(unet.float(), GaussianVelocity(**parts["gaussian"]), schedule, config["residual"])
