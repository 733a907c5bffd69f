"""Published EDM networks: a pickle is opened where it is trusted and is the very file, once; its code is found by its digest."""

from __future__ import annotations

import hashlib
import json
import pickle
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from underpainting import denoisers
from underpainting.denoisers import pickles
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts, third_party_code
from underpainting.io.errors import InputError
from underpainting_workflow import preflight
from underpainting_workflow.studies import Study, files, load_study

ROOT = Path(__file__).parents[3]
STUDY = Path("s.yaml")
PERSISTENCE = '''
"""Classes whose objects remember how they were made, as in NVlabs' torch_utils/persistence.py."""
import copy


def persistent_class(base):
    class Decorator(base):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self._init_args, self._init_kwargs = copy.deepcopy(args), copy.deepcopy(kwargs)

        init_args = property(lambda self: copy.deepcopy(self._init_args))
        init_kwargs = property(lambda self: copy.deepcopy(self._init_kwargs))

    Decorator.__name__, Decorator.__qualname__ = base.__name__, base.__qualname__
    Decorator.__module__ = base.__module__
    return Decorator
'''
NETWORKS = """
import torch
from dnnlib import EasyDict
from torch_utils import persistence


class Plain(torch.nn.Module):
    img_channels, img_resolution, label_dim, sigma_min, sigma_max = 1, 8, 0, 0, float("inf")


@persistence.persistent_class
class EDMPrecond(torch.nn.Module):
    def __init__(self, img_resolution, img_channels, label_dim=0, sigma_min=0, sigma_max=float("inf"), sigma_data=0.5, **model):
        super().__init__()
        self.img_resolution, self.img_channels, self.label_dim = img_resolution, img_channels, label_dim
        self.sigma_min, self.sigma_max, self.sigma_data = sigma_min, sigma_max, sigma_data
        self.model = torch.nn.Conv2d(img_channels, img_channels, 3, padding=1, **EasyDict(model))
        self.register_buffer("scale", torch.full((1,), 1.5))

    def forward(self, x, sigma, class_labels=None, force_fp32=False):
        sigma = sigma.to(torch.float32).reshape(-1, 1, 1, 1)
        total = sigma ** 2 + self.sigma_data ** 2
        inner = self.model(x / total.sqrt()) * torch.cos(self.scale * sigma.log() / 4)
        return self.sigma_data ** 2 / total * x + sigma * self.sigma_data / total.sqrt() * inner
"""


def official_code(folder: Path) -> Path:
    """A folder with the structure of the official code."""
    texts = {"dnnlib": "class EasyDict(dict):\n    pass\n", "torch_utils": "", "training": ""}
    for name, text in texts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(text)
    (folder / "torch_utils" / "persistence.py").write_text(PERSISTENCE)
    (folder / "training" / "networks.py").write_text(NETWORKS)
    return folder


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Such a folder, announced nowhere yet."""
    monkeypatch.setenv(third_party_code.VARIABLE, "")  # what tests announce goes with them
    return official_code(tmp_path / "edm")


def pickled(code: Path, path: Path, make: str = "EDMPrecond(8, img_channels=1, bias=True)") -> tuple[Path, Any]:
    """A file as the official code writes it, and the network in it."""
    with third_party_code.importable(code):
        namespace: dict[str, Any] = {}
        exec("from training.networks import *", namespace)
        torch.manual_seed(0)
        network = eval(make, namespace)
        path.write_bytes(pickle.dumps({"ema": network, "loss_fn": None}))
    return path, network


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Malice:
    """A pickle of this writes a file when it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.target, "it ran"))


@pytest.mark.parametrize("trust", [False, None, "true", 1])
def test_an_untrusted_pickle_is_not_opened(trust: Any, code: Path, tmp_path: Path) -> None:
    path, target = tmp_path / "bad.pkl", tmp_path / "ran"
    path.write_bytes(pickle.dumps({"ema": Malice(target)}))
    with pytest.raises(ValueError, match=r"denoiser\.trust_pickle: .*bad\.pkl is a pickle.*set trust_pickle: true"):
        pickles.convert(path, sha256(path), trust, code)
    assert not target.exists()


@pytest.mark.parametrize("digest", ["0" * 64, ""])
def test_another_file_than_the_trusted_one_is_not_opened(digest: str, code: Path, tmp_path: Path) -> None:
    path, target = tmp_path / "bad.pkl", tmp_path / "ran"
    path.write_bytes(pickle.dumps({"ema": Malice(target)}))
    with pytest.raises(ValueError, match=rf"denoiser\.sha256: .* has the sha256 {sha256(path)}, not .*was not opened"):
        pickles.convert(path, digest, True, code)
    assert not target.exists()


def test_the_payload_of_these_tests_would_have_run(code: Path, tmp_path: Path) -> None:
    """Else the two above would show nothing."""
    path, target = tmp_path / "bad.pkl", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Malice(target)))
    with pytest.raises(ValueError, match="holds no dictionary with the key 'ema'"):
        pickles.convert(path, sha256(path), True, code)
    assert target.exists()


def converted(code: Path, tmp_path: Path, **options: Any) -> tuple[Path, Any]:
    path, network = pickled(code, tmp_path / "net.pkl", **options)
    denoisers.save_pipeline(*pickles.convert(path, sha256(path), True, code), tmp_path / "denoiser")
    path.unlink()
    return tmp_path / "denoiser", network


def test_a_converted_network_is_the_published_one_on_every_path(code: Path, tmp_path: Path) -> None:
    folder, network = converted(code, tmp_path)
    third_party_code.announce([str(code)])
    denoiser, schedule = denoisers.load_denoiser(folder, Compute("cpu"))
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for sigma in (0.002, 0.3, 80.0):
        with torch.inference_mode():
            expected = network(sigma * images, torch.full((3,), sigma))
        assert torch.equal(denoiser(sigma * images, 1.0, sigma), expected)
        torch.testing.assert_close(denoiser(0.4 * sigma * images, 0.4, 0.4 * sigma), expected)
    assert denoiser.image_shape == (1, 8, 8)
    assert (schedule.config["sigma_min"], schedule.config["sigma_max"]) == (0.002, 80.0)
    denoisers.require_images(denoiser.network, channels=1, size=8)
    assert not {"training", "torch_utils", "dnnlib"} & set(sys.modules)
    assert str(code) not in sys.path


def test_the_folder_has_what_the_workflow_declares_and_no_place(code: Path, tmp_path: Path) -> None:
    folder, _ = converted(code, tmp_path)
    _, schedule = pickles_schedule(code, tmp_path)
    denoisers.save_schedule(schedule, folder / "schedule.zarr.zip")
    declared = {"model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"}
    declared |= {"scheduler/scheduler_config.json", "schedule.zarr.zip"}
    assert {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()} == declared
    assert json.loads((folder / "scheduler/scheduler_config.json").read_text())["_class_name"] == "EDMEulerScheduler"
    assert not [file for file in folder.rglob("*.json") if str(tmp_path) in file.read_text()]
    assert artifacts.load(folder / "schedule.zarr.zip")["sigma"].values[0] == pytest.approx(80.0)


def pickles_schedule(code: Path, tmp_path: Path) -> tuple[Any, Any]:
    path, _ = pickled(code, tmp_path / "net.pkl")
    return pickles.convert(path, sha256(path), True, code)


def test_other_code_than_that_of_the_conversion_is_not_run(code: Path, tmp_path: Path) -> None:
    folder, _ = converted(code, tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"none given.*{third_party_code.VARIABLE}"):
        denoisers.load_denoiser(folder, Compute("cpu"))
    third_party_code.announce([str(code)])
    networks = code / "training" / "networks.py"
    networks.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n{networks.read_text()}")
    with pytest.raises(FileNotFoundError, match=r"converted with code of the digest .*denoiser\.code"):
        denoisers.load_denoiser(folder, Compute("cpu"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        ("Plain()", "no init_kwargs"),
        ("EDMPrecond(8, img_channels=1, label_dim=10)", "conditional on 10 classes"),
        ("EDMPrecond(8, img_channels=1, dtype=torch.float32)", "no plain values"),
    ],
)
def test_a_network_that_cannot_be_kept_is_refused(make: str, message: str, code: Path, tmp_path: Path) -> None:
    path, _ = pickled(code, tmp_path / "net.pkl", make)
    with pytest.raises(ValueError, match=message):
        pickles.convert(path, sha256(path), True, code)


def study(**denoiser: Any) -> Study:
    content = yaml.safe_load((ROOT / "tests/studies/tiny.yaml").read_text())
    return Study.model_validate({**content, "denoiser": {"source": "edm", **denoiser}})


def test_before_any_job_everything_is_asked_for(code: Path, tmp_path: Path) -> None:
    path, _ = pickled(code, tmp_path / "net.pkl")
    whole = {"path": str(path), "code": str(code), "sha256": sha256(path), "trust_pickle": True}
    preflight.check_denoiser(study(**whole))
    (tmp_path / "empty").mkdir()
    for slip, key in [
        ({"trust_pickle": False}, "trust_pickle"),
        ({"sha256": ""}, "sha256"),
        ({"path": "nowhere.pkl"}, "path"),
        ({"code": str(tmp_path / "empty")}, "code"),
    ]:
        with pytest.raises(InputError, match=rf"denoiser\.{key}: ") as error:
            preflight.check_denoiser(study(**{**whole, **slip}))
        assert error.value.problems[0].remedy


def test_the_inputs_of_the_conversion_are_file_and_code(code: Path, tmp_path: Path) -> None:
    chosen = study(path=str(tmp_path / "net.pkl"), code=str(code))
    found = files.sources.of_network("s", chosen)
    assert found[0] == (tmp_path / "net.pkl").as_posix()
    assert (code / "training/networks.py").as_posix() in found
    assert files.sources.code_folders({"s": chosen}) == [str(code)]
    assert chosen.denoiser.settings() == {"source": "edm", "sha256": "", "trust_pickle": False}


@pytest.mark.parametrize("name", ["edm_cifar10", "edm_ffhq64", "edm_afhqv2"])
def test_the_shipped_studies_wait_for_the_users_trust(name: str) -> None:
    file = ROOT / "config/studies" / f"{name}.yaml"
    with pytest.raises(InputError, match=r"denoiser\.trust_pickle: .*\.pkl is a pickle") as error:
        preflight.check_denoiser(load_study(file))
    assert "set it to true" in error.value.problems[0].remedy


def test_the_script_converts(code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    path, _ = pickled(code, tmp_path / "net.pkl")
    config = {"source": "edm", "sha256": sha256(path), "trust_pickle": True, "channels": 1, "size": 8}
    output = {"index": str(tmp_path / "d/model_index.json"), "schedule": str(tmp_path / "d/schedule.zarr.zip")}
    script = runpy.run_path("scripts/fetch_denoiser.py")
    script["main"](output, "s", config, str(path), str(code))
    assert all(Path(file).is_file() for file in output.values())
    with pytest.raises(ValueError, match="the study has 3 x 8 x 8"):
        script["main"](output, "s", {**config, "channels": 3}, str(path), str(code))
