"""Features and distances: torch-fidelity's metrics on stored features, and extractors that execute no pickle."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from underpainting.quality import autoencoder, classifier, extractors, fidelity, held_out

SHAPE = classifier.ClassifierShape(channels=1, classes=3, width=8, features=12)


def features(seed: int, count: int = 60, shift: float = 0.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).standard_normal((count, 6)) * np.arange(1, 7) + shift


def byte_images(count: int = 30) -> Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_frechet_distance_is_equation_19() -> None:
    first, second = features(0), features(1, shift=0.7)
    covariances = [np.cov(values, rowvar=False) for values in (first, second)]
    root = scipy.linalg.sqrtm(covariances[0])
    cross = scipy.linalg.sqrtm(root @ covariances[1] @ root)
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(covariances[0] + covariances[1] - 2 * cross)
    assert fidelity.compare_features(first, second, kid_subset_size=30).fd == pytest.approx(expected, rel=1e-9)


def test_equal_sets_are_at_no_distance() -> None:
    scores = fidelity.compare_features(features(0), features(0), kid_subset_size=30)
    assert scores.fd == pytest.approx(0, abs=1e-6)
    assert (scores.precision, scores.recall) == (1.0, 1.0)


def test_a_narrow_set_is_precise_but_does_not_recall() -> None:
    real = features(0, count=200)
    scores = fidelity.compare_features(real[:1] + 1e-3 * features(1, count=50), real, kid_subset_size=30)
    assert scores.precision > 0.9
    assert scores.recall < 0.2


@pytest.mark.parametrize(("count", "message"), [(3, "too few"), (60, "different extractors")])
def test_features_that_do_not_fit_are_refused(count: int, message: str) -> None:
    generated = features(1, count)
    with pytest.raises(ValueError, match=message):
        fidelity.compare_features(generated if count < 60 else generated[:, :4], features(0), kid_subset_size=30)


def test_images_become_bytes_clipped_and_rounded() -> None:
    values = torch.tensor([-3.0, -1.0, 0.0, 0.99999, 1.0, 7.0])
    assert fidelity.to_bytes(values).tolist() == [0, 0, 128, 255, 255, 255]


def test_bytes_survive_the_way_to_the_librarys_range_and_back() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(fidelity.to_bytes(every.float() / 127.5 - 1), every)


def test_a_classifier_learns_and_comes_back_from_its_file(tmp_path: Path) -> None:
    labels = torch.arange(90) % 3
    images = byte_images(90) // 4 + (labels * 90).to(torch.uint8)[:, None, None, None]
    trained = classifier.train(
        images, labels, torch.from_numpy(held_out.held_out_indices(90)), SHAPE, epochs=15, seed=0
    )
    assert trained.score == 1.0
    classifier.save(trained, tmp_path / "c.safetensors")
    loaded = classifier.load(tmp_path / "c.safetensors")
    assert loaded.score == trained.score
    assert torch.equal(loaded.network.features(images), trained.network.features(images))


def test_training_a_classifier_twice_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        held = torch.arange(0, 40, 2)
        trained = classifier.train(byte_images(40), torch.arange(40) % 3, held, SHAPE, epochs=2, seed=5)
        classifier.save(trained, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_classifier_learns_nothing_from_images_held_out_and_is_judged_by_them() -> None:
    images, labels, held = byte_images(40), torch.arange(40) % 3, torch.arange(0, 40, 2)
    other = labels.clone()
    other[held] = (labels[held] + 1) % 3
    first, second = (classifier.train(images, known, held, SHAPE, epochs=2, seed=0) for known in (labels, other))
    for one, two in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(one, two)
    guesses = first.network(images[held]).argmax(1)
    assert first.score == pytest.approx(float((guesses == labels[held]).double().mean()))
    assert second.score == pytest.approx(float((guesses == other[held]).double().mean()))


@pytest.fixture
def classifier_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "c.safetensors"
    classifier.save(classifier.Trained(classifier.Classifier(SHAPE).eval(), 0.5), path)
    return path


def test_features_do_not_depend_on_the_batch(classifier_file: Path) -> None:
    extractor = extractors.make_extractor("classifier", str(classifier_file))
    whole = fidelity.extract_features(extractor, byte_images(), 30)
    np.testing.assert_allclose(fidelity.extract_features(extractor, byte_images(), 7), whole, atol=1e-5)


@pytest.fixture
def autoencoder_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "a.safetensors"
    network = autoencoder.Autoencoder(autoencoder.AutoencoderShape(1, 8, width=4, features=12)).eval()
    autoencoder.save(autoencoder.Trained(network, 0.5), path)
    return path


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning:torch.*")  # torch-fidelity's own number
@pytest.mark.parametrize("kind", ["classifier", "autoencoder"])
def test_torch_fidelity_computes_the_same_distance_from_images(kind: str, request: pytest.FixtureRequest) -> None:
    from torch.utils.data import Dataset
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.metrics import calculate_metrics
    from torch_fidelity.registry import register_feature_extractor

    class Images(Dataset[Tensor]):
        def __init__(self, images: Tensor) -> None:
            self.images = images.expand(-1, 3, -1, -1)

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> Tensor:
            return self.images[index]

    extract = extractors.make_extractor(kind, str(request.getfixturevalue(f"{kind}_file")))

    class StudyFeatures(FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("features",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:  # noqa: ARG004  the name is torch-fidelity's
            return "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            return (extract(images),)

    register_feature_extractor(f"underpainting-{kind}", StudyFeatures)
    sets = byte_images(80).split(40)
    theirs = calculate_metrics(
        input1=Images(sets[0]),
        input2=Images(sets[1]),
        fid=True,
        feature_extractor=f"underpainting-{kind}",
        cuda=False,
        verbose=False,
    )
    ours = fidelity.compare_features(
        *(fidelity.extract_features(extract, images) for images in sets), kid_subset_size=20
    )
    assert ours.fd == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)


@pytest.mark.parametrize(("name", "weights"), [("other", "a file"), ("classifier", None), ("autoencoder", None)])
def test_an_unknown_extractor_or_one_without_its_file_is_refused(name: str, weights: str | None) -> None:
    with pytest.raises(
        ValueError, match=f"'{name}' is unknown or lacks its file; use classifier, autoencoder or inception"
    ):
        extractors.make_extractor(name, weights)


class Payload:
    """A pickle that creates a file when it is executed."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.file,))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning:torch.*")
def test_a_malicious_pickle_is_refused_as_inception_weights(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (tmp_path / "weights.pth").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(pickle.UnpicklingError):
        extractors.inception_extractor(str(tmp_path / "weights.pth"))
    assert not mark.exists()


@pytest.fixture(scope="module")
def inception_state() -> dict[str, Tensor]:
    """Random weights of torch-fidelity's own architecture, which cannot be built without some."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    original = torch.load
    captured: dict[str, Tensor] = {}

    def capture(self: torch.nn.Module, _: object) -> None:
        captured.update(self.state_dict())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", capture)
        FeatureExtractorInceptionV3(extractors.INCEPTION, ["2048"], feature_extractor_weights_path="none")
    assert torch.load is original
    return captured


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_inception_is_read_from_tensors_and_takes_grey_images(
    form: str, tmp_path: Path, inception_state: dict[str, Tensor]
) -> None:
    path = tmp_path / f"weights.{form}"
    if form == "pth":
        torch.save(inception_state, path)
    else:
        from safetensors.torch import save_file

        save_file({key: value.contiguous() for key, value in inception_state.items()}, path)
    extractor = extractors.make_extractor(extractors.INCEPTION, str(path))
    values = fidelity.extract_features(extractor, byte_images(3), 2)
    assert values.shape == (3, 2048)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()


def test_inception_is_looked_for_in_torch_fidelitys_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"teleport\.extractor\.weights"):
        extractors.find_inception_weights(None)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / extractors.INCEPTION_FILE).touch()
    assert extractors.find_inception_weights(None).name == extractors.INCEPTION_FILE


def test_precision_and_recall_take_a_bounded_number_of_images() -> None:
    features = torch.arange(25_000.0)[:, None]
    thinned = fidelity._subsample(features, 10_000)
    assert len(thinned) == 10_000
    assert thinned[0] == 0
    assert thinned[-1] == 24_999
    assert (fidelity._subsample(features[:100], 10_000) == features[:100]).all()
