"""Opens the pickle of a published EDM network, once and only if the study trusts it, and converts it.

A pickle can run any code. So it is opened only if the user set `trust_pickle: true` and gave the SHA-256 of its
bytes; both are checked first. Only tensors and constructor arguments are kept. No other module opens a pickle.
"""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
from pathlib import Path
from typing import Any

from underpainting.denoisers import weights
from underpainting.denoisers.edm_code import MODULE, OfficialNetwork, build_network
from underpainting.io import third_party_code
from underpainting.io.errors import InputError, MissingFileError, Problem

log = logging.getLogger(__name__)

# bounds of the official sampler; those of the network may be 0 and infinite
SIGMA_MIN, SIGMA_MAX = 0.002, 80.0


def read_trusted(path: str | Path, sha256: str, trust_pickle: bool) -> bytes:
    """Read the bytes of a trusted pickle, without opening it.

    Raises:
        ValueError: the study does not trust it, or its SHA-256 is not the one given.
        FileNotFoundError: there is no such file.
    """
    if trust_pickle is not True:
        problem = f"{path} is a pickle, which can run any code when it is opened, and the study does not trust it"
        remedy = "if you trust its source, set trust_pickle: true, otherwise use a network in safetensors"
        raise InputError(Problem(problem, remedy, "denoiser.trust_pickle"))
    if not Path(path).is_file():
        raise MissingFileError(Problem(f"there is no file {path}", "correct it", "denoiser.path"))
    content = Path(path).read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        problem = f"{path} has the sha256 {found}, not {sha256 or 'none given'}: it was not opened"
        remedy = "get the file that you trust, or, if this is the one, correct denoiser.sha256"
        raise InputError(Problem(problem, remedy, "denoiser.sha256"))
    return content


def convert(path: str | Path, sha256: str, trust_pickle: bool, code: str | Path) -> tuple[OfficialNetwork, Any]:
    """Convert a published EDM file (a dictionary with `ema`) to a network and a diffusers scheduler of its levels.

    Args:
        path: the pickle.
        sha256: of its bytes, 64 hexadecimal digits.
        trust_pickle: whether it may be opened.
        code: folder of the official code, with `dnnlib`, `torch_utils` and `training`.

    Raises:
        ValueError: the file is not trusted, or holds no unconditional network that can be rebuilt from the code.
        FileNotFoundError: file or code are missing.
    """
    from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler

    content = read_trusted(path, sha256, trust_pickle)
    if not (Path(code) / "training" / "networks.py").is_file():
        problem = f"{code} holds no training/networks.py"
        raise MissingFileError(Problem(problem, "name the folder of NVlabs' EDM code", "denoiser.code"))
    log.info("opening the pickle %s", path)
    with third_party_code.importable(code):
        published = _network(pickle.loads(content), path)  # trusted by the user, byte by byte
    config = _description(published, path) | {"code": third_party_code.digest(code)}
    inner = build_network(code, config)
    weights.load_weights(inner, published.state_dict(), path)
    levels = {
        "sigma_min": max(SIGMA_MIN, float(published.sigma_min)),
        "sigma_max": min(SIGMA_MAX, float(published.sigma_max)),
        "sigma_data": float(getattr(published, "sigma_data", 0.5)),
    }
    return OfficialNetwork(inner.float().requires_grad_(False), config), EDMEulerScheduler(**levels)


def _network(found: Any, path: str | Path) -> Any:
    if not isinstance(found, dict) or "ema" not in found:
        problem = f"{path} is no network of EDM: it holds no dictionary with the key 'ema'"
        raise InputError(Problem(problem, "use a file that the official code wrote", "denoiser.path"))
    return found["ema"]


def _description(network: Any, path: str | Path) -> dict[str, Any]:
    """Return the configuration to build the network again, as plain values."""
    if not hasattr(network, "init_kwargs"):
        problem = f"the network in {path} does not say how it was made (no init_kwargs), so it cannot be made again "
        remedy = "use a file that the official code wrote"
        raise InputError(Problem(f"{problem}without the pickle", remedy, "denoiser.path"))
    if getattr(network, "label_dim", 0):
        problem = f"the network in {path} is conditional on {network.label_dim} classes"
        raise InputError(Problem(problem, "use an unconditional one", "denoiser.path"))
    described = {
        "module": MODULE,
        "class": type(network).__name__,
        "init_args": list(getattr(network, "init_args", ())),
        "init_kwargs": dict(network.init_kwargs),
        "in_channels": int(network.img_channels),
        "sample_size": int(network.img_resolution),
    }
    try:
        plain: dict[str, Any] = json.loads(json.dumps(described))
    except TypeError as error:
        problem = (
            f"the network in {path} was made with arguments that are no plain values, and cannot be kept ({error})"
        )
        raise InputError(Problem(problem, "use another network", "denoiser.path")) from error
    return plain
