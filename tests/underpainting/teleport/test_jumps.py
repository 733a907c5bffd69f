"""Jumps against what they stand for: the closed form, that of each class, and the mixture's flow by another method."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.helpers.bases import make_basis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import DATA, NoiseGrid, NoiseLevel, vp_level
from underpainting.samplers.randomness import initial_noise
from underpainting.teleport.jumps import ClassJump, FlowJump, GaussianJump, GuidedJump, Jump
from underpainting.theory import flow, gaussian
from underpainting.theory.mixtures import Mixture, MixtureDenoiser, Mode

SHAPE = (1, 1, 12)
CLASSES = [make_basis(12, [3.0, 0.7, 0.2, 0.05][: 4 - label], label) for label in range(3)]
# from nearly noise to where a network would go on, on each path
JUMPS = {
    "variance preserving": (vp_level(157.0), vp_level(0.8)),
    "exploding": (NoiseLevel(1.0, 80.0), NoiseLevel(1.0, 0.8)),
    "straight": (NoiseLevel(0.001, 0.999), NoiseLevel(0.55, 0.45)),
}


def start(source: NoiseLevel, count: int = 5) -> Tensor:
    return initial_noise(range(count), SHAPE).double() * float(torch.tensor(source).norm())


def mixture_of(bases: list[Eigenbasis]) -> Mixture:
    weights = torch.arange(1, len(bases) + 1) / sum(range(1, len(bases) + 1))
    return Mixture(weights, [Mode.of_basis(basis) for basis in bases], SHAPE)


@pytest.mark.parametrize("path", JUMPS)
def test_the_gaussian_jump_is_the_closed_form(path: str) -> None:
    source, target = JUMPS[path]
    images = start(source)
    found = GaussianJump(CLASSES[0])(images, source, target)
    assert torch.equal(found, gaussian.state(CLASSES[0], images, source, target))


def test_each_image_goes_with_the_closed_form_of_its_class() -> None:
    source, target = JUMPS["straight"]
    images, labels = start(source), [2, 0, 2, 1, 0]
    found = ClassJump(CLASSES, labels)(images, source, target)
    for place, label in enumerate(labels):
        alone = gaussian.state(CLASSES[label], images[place : place + 1], source, target)
        torch.testing.assert_close(found[place : place + 1], alone, rtol=1e-12, atol=1e-12)


def test_one_class_for_all_is_the_gaussian_jump() -> None:
    source, target = JUMPS["exploding"]
    images = start(source)
    found = ClassJump(CLASSES, [1] * 5)(images, source, target)
    assert torch.equal(found, GaussianJump(CLASSES[1])(images, source, target))


@pytest.mark.parametrize("path", JUMPS)
def test_the_mixture_jump_follows_the_flow_of_its_mixture(path: str) -> None:
    """Against an adaptive method of eighth order with tolerances far below what is asked."""
    (source, target), mixture = JUMPS[path], mixture_of(CLASSES)
    images = start(source)
    grid = NoiseGrid.of([source, target])
    *_, exact = flow.walk(MixtureDenoiser(mixture), images, grid, "dopri8", rtol=1e-10, atol=1e-10)
    found = FlowJump(MixtureDenoiser(mixture))(images, source, target)
    assert (found - exact.state).abs().max() < 1e-6
    gaussians = [GaussianJump(basis)(images, source, target) for basis in CLASSES]
    assert min(float((found - other).abs().max()) for other in gaussians) > 0.1


@pytest.mark.parametrize("path", JUMPS)
def test_a_mixture_of_one_mode_is_the_closed_form(path: str) -> None:
    (source, target), images = JUMPS[path], start(JUMPS[path][0])
    found = FlowJump(MixtureDenoiser(mixture_of(CLASSES[:1])))(images, source, target)
    assert (found - GaussianJump(CLASSES[0])(images, source, target)).abs().max() < 1e-6


def test_more_steps_bring_the_mixture_jump_nearer_by_the_fourth_order() -> None:
    source, target = JUMPS["variance preserving"]
    mixture, images = mixture_of(CLASSES), start(source)
    *_, exact = flow.walk(
        MixtureDenoiser(mixture), images, NoiseGrid.of([source, target]), "dopri8", rtol=1e-12, atol=1e-12
    )
    few, many = (
        float((FlowJump(MixtureDenoiser(mixture), steps)(images, source, target) - exact.state).abs().max())
        for steps in (8, 16)
    )
    assert few / many > 8


def test_a_mixture_carries_noise_all_the_way_to_images() -> None:
    """Where the covariance has no variance, an image is the mean of a mode there."""
    source, _ = JUMPS["variance preserving"]
    found = FlowJump(MixtureDenoiser(mixture_of(CLASSES)), 60)(start(source), source, DATA).flatten(1)
    for image in found:
        off = [
            float((centred - basis.vectors @ (basis.vectors.T @ centred)).norm())
            for basis in CLASSES
            for centred in [image - basis.mean]
        ]
        assert min(off) < 0.05 * max(off)


@pytest.mark.parametrize("path", JUMPS)
def test_guidance_of_scale_one_is_the_jump_of_each_prompt(path: str) -> None:
    (source, target), labels = JUMPS[path], [1, 0, 1, 0, 0]
    images = start(source)
    found = GuidedJump(CLASSES[:2], CLASSES[2], labels, 1.0)(images, source, target)
    assert (found - ClassJump(CLASSES[:2], labels)(images, source, target)).abs().max() < 1e-6


@pytest.mark.parametrize("path", JUMPS)
def test_guidance_between_gaussians_of_one_covariance_moves_the_mean(path: str) -> None:
    (source, target), negative = JUMPS[path], CLASSES[0]
    images, prompt = start(source), replace(negative, mean=-negative.mean)
    moved = replace(negative, mean=negative.mean + 3.0 * (prompt.mean - negative.mean))
    found = GuidedJump([prompt], negative, [0] * 5, 3.0)(images, source, target)
    assert (found - GaussianJump(moved)(images, source, target)).abs().max() < 1e-5


def test_guidance_between_any_gaussians_follows_the_guided_flow() -> None:
    """Against an adaptive method of eighth order."""
    source, target = JUMPS["variance preserving"]
    images, (prompt, negative) = start(source), CLASSES[:2]

    def guided(states: Tensor, alpha: float, sigma: float) -> Tensor:
        level = NoiseLevel(alpha, sigma)
        return 3.0 * gaussian.endpoint(prompt, states, level) - 2.0 * gaussian.endpoint(negative, states, level)

    *_, exact = flow.walk(guided, images, NoiseGrid.of([source, target]), "dopri8", rtol=1e-10, atol=1e-10)
    found = GuidedJump([prompt], negative, [0] * 5, 3.0)(images, source, target)
    assert (found - exact.state).abs().max() < 1e-4


@pytest.mark.parametrize(
    "jump", [GaussianJump(CLASSES[0]), ClassJump(CLASSES, [0, 1]), FlowJump(MixtureDenoiser(mixture_of(CLASSES)))]
)
def test_states_keep_their_shape_and_type(jump: Jump) -> None:
    source, target = JUMPS["straight"]
    images = start(source, 2).float()
    found = jump(images, source, target)
    assert (found.shape, found.dtype) == (images.shape, torch.float32)


@pytest.mark.parametrize(("labels", "strange"), [([0, 3], r"\[3\]"), ([-1, 5, 0], r"\[-1, 5\]")])
def test_labels_that_are_no_classes_are_refused(labels: list[int], strange: str) -> None:
    with pytest.raises(ValueError, match=f"the labels {strange} are none of the 3 classes, which are numbered from 0"):
        ClassJump(CLASSES, labels)


def test_labels_for_other_images_are_refused() -> None:
    source, target = JUMPS["straight"]
    with pytest.raises(ValueError, match="5 images do not fit 2 labels; give one label per image"):
        ClassJump(CLASSES, [0, 1])(start(source), source, target)
