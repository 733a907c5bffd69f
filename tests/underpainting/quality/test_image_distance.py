"""Distances between images, by hand and against the network that they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from underpainting.io.errors import InputError
from underpainting.quality import attributes
from underpainting.quality.attributes import AttributeClassifier, AttributeShape, TrainedAttributes
from underpainting.quality.image_distance import DISTANCES, make_distance


def pictures(seed: int, side: int = 16) -> torch.Tensor:
    return torch.rand(5, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture
def classifier(tmp_path: Path) -> tuple[Path, AttributeClassifier]:
    torch.manual_seed(0)
    network = AttributeClassifier(AttributeShape(3, 16, {"digit": 3}, width=8, features=12)).eval()
    attributes.save(TrainedAttributes(network, {"digit": 1.0}), tmp_path / "attributes.safetensors")
    return tmp_path / "attributes.safetensors", network


def test_the_distance_of_pixels_is_clipped_as_in_a_picture() -> None:
    distance = make_distance("pixels")
    first, second = pictures(0), pictures(1)
    expected = (first - second).square().mean((1, 2, 3)).sqrt()
    assert torch.allclose(distance(first, second), expected)
    assert float(distance(torch.full((1, 1, 2, 2), 3.0), torch.ones(1, 1, 2, 2))) == 0
    assert distance.label == "root mean square difference of pixels"


def test_the_distance_in_the_classifier_s_features(classifier: tuple[Path, AttributeClassifier]) -> None:
    file, network = classifier
    distance = make_distance("attributes", file)
    first, second = pictures(0), pictures(1)
    features = [network.features((images + 1) * 127.5) for images in (first, second)]
    expected = (features[0] - features[1]).norm(dim=1) / 12**0.5
    assert torch.allclose(distance(first, second), expected.detach(), atol=1e-6)
    assert float(distance(first, first).max()) == 0
    assert "LPIPS" not in distance.label


def test_lpips_takes_its_backbone_from_a_file(tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips", reason="the package lpips is not installed")
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    backbone = squeezenet1_1(weights=None)
    torch.save(backbone.state_dict(), tmp_path / "squeezenet.pth")
    reference = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False).eval()
    slices = [part for name, part in reference.net.named_children() if name.startswith("slice")]
    for part in slices:
        for name, layer in part.named_children():
            layer.load_state_dict(backbone.features[int(name)].state_dict())
    first, second = pictures(0, 64), pictures(1, 64)
    distance = make_distance("lpips", tmp_path / "squeezenet.pth")
    assert torch.allclose(distance(first, second), reference(first, second).flatten().detach(), atol=1e-6)


@pytest.mark.parametrize("name", [*DISTANCES, "inception"])
def test_what_cannot_be_loaded_is_refused(name: str, tmp_path: Path) -> None:
    if name == "pixels":
        assert make_distance(name, None).name == name
        return
    with pytest.raises(InputError, match=r"unknown|needs a file"):
        make_distance(name)
    if name in DISTANCES:
        with pytest.raises(InputError, match="are not at"):
            make_distance(name, tmp_path / "nothing")
