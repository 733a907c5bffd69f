"""Weights of others: what is loaded is exactly what the files hold, by name, shape and value, or the folder is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.helpers.networks import SMALL, small_unet
from underpainting import denoisers
from underpainting.denoisers import weights
from underpainting.io.errors import InputError
from underpainting.training.trainer import make_unet
from underpainting_workflow import preflight

Tensors = dict[str, Tensor]
FILE = f"unet/{weights.FILE}"
SCHEDULE = DDIMScheduler(prediction_type="v_prediction")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network as diffusers saves it."""
    made = tmp_path_factory.mktemp("network")
    denoisers.save_pipeline(small_unet(), SCHEDULE, made)
    return made


def in_shards(tensors: Tensors, unet: Path, count: int, variant: str = "") -> None:
    """As diffusers writes large networks: shards, and an index that says where each tensor is."""
    middle = f".{variant}" if variant else ""
    names = [f"diffusion_pytorch_model{middle}-{number + 1:05}-of-{count:05}.safetensors" for number in range(count)]
    places = {key: names[number % count] for number, key in enumerate(sorted(tensors))}
    for name in names:
        save_file({key: tensors[key] for key in places if places[key] == name}, unet / name)
    index = unet / f"diffusion_pytorch_model.safetensors.index{middle}.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))


def stored(tensors: Tensors, unet: Path, layout: str) -> None:
    (unet / weights.FILE).unlink()
    if layout == "whole":
        save_file(tensors, unet / weights.FILE)
    elif layout == "variant":
        save_file(tensors, unet / "diffusion_pytorch_model.fp16.safetensors")
    else:
        in_shards(tensors, unet, 3, "fp16" if layout == "shards of a variant" else "")


LAYOUTS = ("whole", "variant", "shards", "shards of a variant")


def renamed(tensors: Tensors, key: str, _: int) -> Tensors:
    return {(f"{name}x" if name == key else name): value for name, value in tensors.items()}


def prefixed(tensors: Tensors, _: str, number: int) -> Tensors:
    return {
        f"{('module.', 'model.', '_orig_mod.', 'unet.')[number % 4]}{name}": value for name, value in tensors.items()
    }


def without(tensors: Tensors, key: str, _: int) -> Tensors:
    return {name: value for name, value in tensors.items() if name != key}


def with_more(tensors: Tensors, _: str, number: int) -> Tensors:
    return {**tensors, f"extra.{number}": torch.ones(number % 5)}


def changed(change: Callable[[Tensor, int], Tensor]) -> Callable[[Tensors, str, int], Tensors]:
    return lambda tensors, key, number: {**tensors, key: change(tensors[key], number).contiguous()}


def poked(value: Tensor, number: int) -> Tensor:
    flat = value.clone().flatten()
    flat[number % len(flat)] = (torch.nan, torch.inf, -torch.inf)[number % 3]
    return flat.reshape(value.shape)


REFUSED: dict[str, Callable[[Tensors, str, int], Tensors]] = {
    "a name altered": renamed,
    "a prefix": prefixed,
    "a tensor missing": without,
    "a tensor too many": with_more,
    "a number that is not finite": changed(poked),
    "an axis more": changed(lambda value, _: value[None]),
    "longer": changed(lambda value, _: torch.cat([value, value])),
    "whole numbers": changed(lambda value, _: value.long()),
    "truth values": changed(lambda value, _: value > 0),
}
TAKEN: dict[str, Callable[[Tensors, str, int], Tensors]] = {
    "as it is": lambda tensors, *_: tensors,
    "half": lambda tensors, *_: {name: value.half() for name, value in tensors.items()},
    "bfloat16": lambda tensors, *_: {name: value.bfloat16() for name, value in tensors.items()},
    "one in double": changed(lambda value, _: value.double()),
    "other values": changed(lambda value, number: value + number),
}


@pytest.mark.slow
@settings(max_examples=150)
@given(data=st.data(), layout=st.sampled_from(LAYOUTS), number=st.integers(0, 100))
def test_what_is_loaded_is_what_the_files_hold(
    folder: Path, data: st.DataObject, layout: str, number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("altered") / "network"
    shutil.copytree(folder, place)
    tensors = load_file(folder / FILE)
    kind = data.draw(st.sampled_from([*REFUSED, *TAKEN]))
    key = data.draw(st.sampled_from(sorted(tensors)))
    altered = {**REFUSED, **TAKEN}[kind](tensors, key, number)
    stored({name: value.contiguous() for name, value in altered.items()}, place / "unet", layout)
    if kind in TAKEN:
        network, _ = denoisers.load_network(place)
        found = network.state_dict()
        assert found.keys() == altered.keys()
        assert all(torch.equal(found[name], value.float()) for name, value in altered.items())
    else:
        with pytest.raises(ValueError, match=r"the weights in .* are not the network's: ") as error:
            denoisers.load_network(place)
        assert str(place) in str(error.value)
        assert len(str(error.value)) < 2000
    shutil.rmtree(place)


@settings(max_examples=100)
@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_is_refused_or_holds_other_finite_numbers(
    folder: Path, place: float, bits: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file of others carries no checksum: other values are told by its hash, which the study's records hold."""
    altered = tmp_path_factory.mktemp("damaged") / "network"
    shutil.copytree(folder, altered)
    content = bytearray((folder / FILE).read_bytes())
    where = int(place * len(content))
    content[where] ^= bits
    (altered / FILE).write_bytes(content[:where] if cut else content)
    try:
        network, _ = denoisers.load_network(altered)
    except ValueError as error:
        told = str(error)
    else:
        told = ""
        assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())
        assert network.state_dict().keys() == small_unet().state_dict().keys()
    assert not told or (str(altered) in told and len(told) < 2000)
    shutil.rmtree(altered)


def test_a_prefix_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "network")
    save_file(prefixed(load_file(folder / FILE), "", 0), tmp_path / "network" / FILE)
    with pytest.raises(ValueError, match=r"every name begins with 'module\.': save the network inside"):
        denoisers.load_network(tmp_path / "network")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda unet: (unet / "diffusion_pytorch_model-00002-of-00003.safetensors").unlink(), "cannot be read"),
        (lambda unet: (unet / "diffusion_pytorch_model.safetensors.index.json").unlink(), "but no index of shards"),
        (
            lambda unet: (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "../x"}}'
            ),
            "is no index of shards in its folder",
        ),
        (
            lambda unet: (unet / "diffusion_pytorch_model.safetensors.index.json").write_text("[]"),
            "is no index of shards in its folder",
        ),
        (lambda unet: save_file({}, unet / "diffusion_pytorch_model-00001-of-00003.safetensors"), "disagree about"),
        (lambda unet: save_file({}, unet / weights.FILE), "holds several sets of weights"),
    ],
)
def test_shards_that_do_not_belong_together_are_refused(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], Any], message: str
) -> None:
    shutil.copytree(folder, tmp_path / "network")
    stored(load_file(folder / FILE), tmp_path / "network/unet", "shards")
    spoil(tmp_path / "network/unet")
    with pytest.raises(ValueError, match=message):
        denoisers.load_network(tmp_path / "network")


# --- networks with more to say ---------------------------------------------------------------------------------------


def with_variance(place: Path, variance: str) -> UNet2DModel:
    """A network with learned variance, as improved DDPM has: twice as many output channels."""
    torch.manual_seed(1)
    plain: Any = make_unet((1, 8, 8), **SMALL)
    network = UNet2DModel.from_config({**plain.config, "out_channels": 2}).eval()
    network.save_pretrained(place / "unet")
    DDPMScheduler(variance_type=variance).save_pretrained(place / "scheduler")
    return network


@pytest.mark.parametrize("variance", ["learned", "learned_range"])
def test_of_a_learned_variance_the_half_that_predicts_the_mean_is_taken(
    variance: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = with_variance(tmp_path, variance)
    with caplog.at_level("INFO"):
        network, _ = denoisers.load_network(tmp_path)
    assert "learned variance: the first 1 of 2 output channels are kept" in caplog.text
    images = torch.randn(3, 1, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(network(images, 5).sample, whole(images, 5).sample[:, :1], rtol=0, atol=1e-6)
    assert network.config["out_channels"] == 1


def test_more_channels_without_a_learned_variance_are_refused(tmp_path: Path) -> None:
    with_variance(tmp_path, "fixed_small")
    with pytest.raises(ValueError, match="the network has 2 output channels for images of 1"):
        denoisers.load_network(tmp_path)


@pytest.mark.parametrize("size", [8, [8, 8]])
def test_however_a_size_is_written(folder: Path, tmp_path: Path, size: Any) -> None:
    shutil.copytree(folder, tmp_path / "network")
    config = tmp_path / "network/unet/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "sample_size": size}))
    denoiser, _ = denoisers.load_denoiser(tmp_path / "network")
    assert denoiser.image_shape == (1, 8, 8)


@pytest.mark.parametrize("kind", ["a prefix", "a tensor missing", "a number that is not finite", "longer"])
def test_preflight_reads_every_tensor(folder: Path, tmp_path: Path, kind: str) -> None:
    shutil.copytree(folder, tmp_path / "network")
    tensors = load_file(folder / FILE)
    save_file(REFUSED[kind](tensors, sorted(tensors)[0], 0), tmp_path / "network" / FILE)
    with pytest.raises(InputError, match=r"denoiser\.path: the weights in .* are not the network's: "):
        preflight.check_readable(tmp_path / "network", "denoiser.path")


def test_a_network_of_latents_or_of_whole_times_alone_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "network")
    index = tmp_path / "network/model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "vqvae": ["diffusers", "VQModel"]}))
    with pytest.raises(ValueError, match=r"names vqvae beside the network\. Remedy: use a network of pixels alone"):
        denoisers.load_network(tmp_path / "network")
    index.unlink()
    config = tmp_path / "network/unet/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "time_embedding_type": "learned"}))
    with pytest.raises(ValueError, match="knows whole times alone"):
        denoisers.load_network(tmp_path / "network")


@pytest.mark.parametrize("file", ["unet/config.json", "scheduler/scheduler_config.json", "model_index.json"])
def test_json_nested_without_end_is_refused(folder: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(folder, tmp_path / "network")
    (tmp_path / "network" / file).write_text('{"a":' * 5000)
    with pytest.raises(ValueError, match="is no JSON"):
        denoisers.load_network(tmp_path / "network")
