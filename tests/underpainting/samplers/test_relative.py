"""The relative sampler: exact for Gaussian data, second order for others, and its network calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from torch import Tensor

from tests.helpers.bases import make_basis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser
from underpainting.noise.covariance_grid import covariance_grid
from underpainting.noise.levels import DATA, PURE_NOISE, NoiseGrid, NoiseLevel, vp_level
from underpainting.noise.schedules import EDMSchedule, FlowSchedule, Schedule, schedule_of
from underpainting.samplers.relative import ClassBases, RelativeIntegrator, variances_of, weights
from underpainting.samplers.walk import Sampler, sample
from underpainting.theory import gaussian
from underpainting.theory.gaussian import GaussianDenoiser

PIXELS = 12
SCHEDULES: dict[str, Schedule] = {
    "variance preserving": schedule_of(DDIMScheduler()),
    "EDM": EDMSchedule(),
    "flow matching": FlowSchedule(),
}
BASES = {
    "complete": make_basis(PIXELS, [9.0, 4.0, 2.0, *np.linspace(1, 0.01, PIXELS - 3)], 0),
    "directions without variance": make_basis(PIXELS, [9.0, 1.0, 0.3, *[0.0] * (PIXELS - 3)], 1),
    "low rank": make_basis(PIXELS, [5.0, 0.5, 0.02], 2),
    "a point": make_basis(PIXELS, [0.0] * PIXELS, 3),
}
ratios = st.lists(st.floats(0.02, 100.0), min_size=1, max_size=10, unique_by=lambda one: round(np.log(one), 2))


def noise_of(basis: Eigenbasis, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, *basis.image_shape, generator=generator, dtype=torch.float64)


def grid_of(schedule: Schedule, ratios: list[float]) -> NoiseGrid:
    return NoiseGrid.of([*(schedule.at(ratio) for ratio in sorted(ratios, reverse=True)), DATA])


def closed_form(basis: Eigenbasis, state: Tensor, source: NoiseLevel) -> Tensor:
    return gaussian.state(basis, state, source, DATA)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("basis", BASES)
@given(ratios=ratios)
@settings(max_examples=20)
def test_gaussian_data_are_exact_on_any_grid(basis: str, schedule: str, ratios: list[float]) -> None:
    data, path = BASES[basis], SCHEDULES[schedule]
    grid, origin = grid_of(path, ratios), path.at(150.0)
    sampler = Sampler.on("relative", grid, data, origin)
    noise = noise_of(data)
    expected = closed_form(data, noise * sampler._noise_scale, origin)
    found = sample(sampler, GaussianDenoiser(data), sampler.start(noise))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@given(ratios=ratios, begin=st.integers(0, 9))
@settings(max_examples=20)
def test_gaussian_data_are_exact_after_any_jump(ratios: list[float], begin: int) -> None:
    data, begin = BASES["complete"], min(begin, len(ratios) - 1)
    grid = grid_of(SCHEDULES["EDM"], ratios)
    state = 2.0 * noise_of(data) + 1.0  # of no Gaussian
    found = sample(Sampler.on("relative", grid, data), GaussianDenoiser(data), state, begin)
    torch.testing.assert_close(found, closed_form(data, state, grid[begin]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("basis", ["complete", "low rank"])
@given(ratios=ratios.filter(lambda some: len(some) > 1))
@settings(max_examples=20)
def test_a_network_that_knows_its_image_ends_there(basis: str, ratios: list[float]) -> None:
    """Its estimate does not change along the noise, as that of the data's Gaussian would."""
    data, image = BASES[basis], 2.0 * noise_of(BASES[basis]) + 1.0
    sampler = Sampler.on("relative", grid_of(SCHEDULES["EDM"], ratios), data, SCHEDULES["EDM"].at(150.0))
    found = sample(sampler, lambda *_: image, sampler.start(noise_of(data)))
    torch.testing.assert_close(found, image, rtol=1e-10, atol=1e-10)


class Pair:
    """Exact denoiser of two points with noise around them: a mixture of two Gaussians of one covariance."""

    def __init__(self, basis: Eigenbasis, gap: float) -> None:
        self.basis, self.gap = basis, gap * basis.vectors[:, 0]

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        level, flat = NoiseLevel(alpha, sigma), images.flatten(1)
        gain = alpha / gaussian.marginal_variance(self.basis.variances, level)
        centred = flat - alpha * self.basis.mean
        weight = torch.sigmoid(2 * ((centred @ self.basis.vectors) * gain) @ (self.basis.vectors.T @ self.gap))[:, None]
        total = torch.zeros_like(flat)
        for sign, share in ((1, weight), (-1, 1 - weight)):
            shifted = (flat - sign * alpha * self.gap).reshape(images.shape)
            total += share * (gaussian.endpoint(self.basis, shifted, level).flatten(1) + sign * self.gap)
        return total.reshape(images.shape)


def solution(denoiser: Callable[[Tensor, float, float], Tensor], state: Tensor, here: float, there: float) -> Tensor:
    """The flow in r = sigma / alpha at alpha = 1, integrated by scipy."""
    shape = state.shape

    def slope(log_ratio: float, flat: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(flat).reshape(shape)
        return (images - denoiser(images, 1.0, float(np.exp(log_ratio)))).numpy().ravel()

    end = solve_ivp(slope, np.log([here, there]), state.numpy().ravel(), rtol=1e-10, atol=1e-12).y[:, -1]
    return torch.from_numpy(end).reshape(shape)


def mixture() -> tuple[Pair, Eigenbasis]:
    """Two Gaussians, and the Gaussian of all their data."""
    components = make_basis(PIXELS, [1.0, 0.5, 0.3, *np.linspace(0.2, 0.02, PIXELS - 3)], 4)
    variances = components.variances + torch.tensor([4.0, *[0.0] * (PIXELS - 1)])
    data = Eigenbasis(components.mean, components.vectors, variances, float(variances.sum()), components.image_shape)
    return Pair(components, 2.0), data


def rms(images: Tensor, others: Tensor) -> float:
    return float((images - others).square().mean().sqrt())


def test_it_is_of_second_order_on_a_mixture() -> None:
    denoiser, data = mixture()
    state = 10.0 * noise_of(data, 40)
    expected, errors = solution(denoiser, state, 10.0, 0.2), []
    for steps in (16, 32, 64):
        ratios = np.append(np.geomspace(10.0, 0.2, steps + 1), 0.0)
        sampler = Sampler.on("relative", NoiseGrid(np.ones_like(ratios), ratios), data)
        errors.append(rms(list(sampler.walk(denoiser, state))[steps].state, expected))
    orders = [np.log2(one / other) for one, other in pairwise(errors)]
    assert min(orders) > 1.9, (errors, orders)


def test_eight_calls_come_closer_to_the_flow_of_a_mixture_than_others_do() -> None:
    denoiser, data = mixture()
    schedule, noise = EDMSchedule(), noise_of(data, 40)
    expected = solution(denoiser, 80.0 * noise, 80.0, 1e-6)
    grid = covariance_grid(schedule, 8, variances_of(data), after_jump=True)
    ours = Sampler.on("relative", grid, data, schedule.level(1.0))
    peers = [Sampler.on(name, schedule.grid(8)) for name in ("ddim", "dpmsolverpp", "unipc")]
    errors = [rms(sample(one, denoiser, one.start(noise)), expected) for one in (ours, *peers)]
    assert errors[0] < 0.1 * min(errors[1:]), errors


def test_without_variance_its_first_step_is_that_of_ddim() -> None:
    data, grid = BASES["a point"], grid_of(SCHEDULES["variance preserving"], [20.0, 1.0])
    state = noise_of(data)

    def denoiser(images: Tensor, alpha: float, sigma: float) -> Tensor:
        return torch.tanh(images / (alpha + sigma))

    first, expected = (
        list(Sampler.on(name, grid, data).walk(denoiser, state))[1].state for name in ("relative", "ddim")
    )
    torch.testing.assert_close(first, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_it_calls_the_network_once_per_step(steps: int) -> None:
    data = BASES["complete"]
    denoiser = CountingDenoiser(GaussianDenoiser(data))
    sampler = Sampler("relative", steps, DDIMScheduler(), data)
    sample(sampler, denoiser, sampler.start(noise_of(data)))
    assert denoiser.calls == sampler.calls() == steps


@pytest.mark.parametrize("begin", ["noise", "elsewhere"])
def test_with_a_state_that_was_changed_on_its_way_the_walk_begins_anew(begin: str) -> None:
    denoiser, data = mixture()
    integrator = RelativeIntegrator(data, noise_of(data), origin=9.0 if begin == "noise" else None)
    state = 4.0 * noise_of(data).flatten(1)
    estimate = denoiser(state.reshape(-1, *data.image_shape), 1.0, 3.0).flatten(1)
    changed = integrator.step(state, estimate, 3.0, 1.0) + 0.5
    found = integrator.step(changed, torch.tanh(changed), 1.0, 0.3)
    expected = RelativeIntegrator(data, changed).step(changed, torch.tanh(changed), 1.0, 0.3)
    torch.testing.assert_close(found, expected)


def test_the_rest_of_a_truncated_basis_shares_one_variance() -> None:
    complete = BASES["complete"]
    kept = 4
    part = Eigenbasis(
        complete.mean,
        complete.vectors[:, :kept],
        complete.variances[:kept],
        float(complete.variances.sum()),
        complete.image_shape,
    )
    rest = float(complete.variances[kept:].mean())
    np.testing.assert_allclose(variances_of(part), [*complete.variances[:kept], *[rest] * (PIXELS - kept)])
    np.testing.assert_array_equal(variances_of(complete), complete.variances)
    levels = Sampler("relative", 4, DDIMScheduler(), part).grid.alpha
    even = replace(complete, variances=torch.from_numpy(variances_of(part)))
    np.testing.assert_allclose(levels, Sampler("relative", 4, DDIMScheduler(), even).grid.alpha, rtol=1e-10)


@given(
    variance=st.sampled_from([0.0, 1e-6, 0.3, 40.0]),
    ends=st.tuples(st.floats(0.02, 100.0), st.floats(0.02, 100.0)).filter(lambda pair: pair[0] != pair[1]),
    nodes=st.lists(st.floats(0.1, 120.0), min_size=1, max_size=3, unique_by=lambda one: round(np.log(one), 1)),
)
@settings(max_examples=40)
def test_weights_integrate_the_polynomial_through_the_calls(
    variance: float, ends: tuple[float, float], nodes: list[float]
) -> None:
    here, there = max(ends), min(ends)
    coarse = max(variance, 0.1)
    found = weights(np.array([variance]), np.array([coarse]), here, there, nodes, 2.0)
    for index, node in enumerate(nodes):

        def integrand(log_ratio: float, index: int = index) -> float:
            angle, others = np.arctan(np.exp(log_ratio) / 2), np.arctan(np.delete(nodes, index) / 2)
            polynomial = np.prod((angle - others) / (np.arctan(nodes[index] / 2) - others))
            square = np.exp(2 * log_ratio)
            return float(polynomial * np.sqrt(square / (square + variance) / (square + coarse)))

        expected = quad(integrand, np.log(there), np.log(here), epsrel=1e-10)[0] * np.sqrt(node**2 + coarse) / node
        assert found[index][0] == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_it_needs_a_basis() -> None:
    with pytest.raises(ValueError, match="give it the eigenbasis of the data"):
        Sampler("relative", 5, DDIMScheduler())
    with pytest.raises(ValueError, match="give it the eigenbasis of the data"):
        Sampler.on("relative", NoiseGrid.of([vp_level(1.0), DATA]))


def test_classes_have_the_gaussian_of_each_image_s_class() -> None:
    classes = (BASES["complete"], BASES["directions without variance"])
    labels = torch.tensor([1, 0, 1])
    sampler = Sampler("relative", 3, DDIMScheduler(), ClassBases(BASES["low rank"], classes, labels))
    noise, first = noise_of(classes[0]), schedule_of(DDIMScheduler()).level(1.0)

    def denoiser(images: Tensor, alpha: float, sigma: float) -> Tensor:
        each = zip(images.split(1), labels.tolist(), strict=True)
        return torch.cat([GaussianDenoiser(classes[label])(image, alpha, sigma) for image, label in each])

    expected = torch.cat(
        [closed_form(classes[label], one, first) for one, label in zip(noise.split(1), labels.tolist(), strict=True)]
    )
    found = sample(sampler, denoiser, sampler.start(noise))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_it_cannot_clip() -> None:
    for make in (
        lambda: Sampler("relative", 3, DDIMScheduler(), BASES["complete"], clip_sample=True),
        lambda: Sampler.on("relative", grid_of(SCHEDULES["EDM"], [1.0]), BASES["complete"], clip_sample=True),
    ):
        with pytest.raises(ValueError, match="Relative cannot clip endpoint estimates"):
            make()


def test_the_first_call_is_at_the_noisiest_level_if_it_is_told_so() -> None:
    data, first = BASES["complete"], schedule_of(DDIMScheduler()).level(1.0)
    sampler = Sampler("relative", 4, DDIMScheduler(), data, jump_first=False)
    assert sampler.grid[0].ratio == pytest.approx(first.ratio)
    assert sampler.origin is None
    assert torch.equal(sampler.start(noise_of(data)), noise_of(data))


@pytest.mark.parametrize("name", ["relative", "heun", "dpmsolverpp"])
def test_from_coloured_noise_gaussian_data_are_sampled_without_bias(name: str) -> None:
    """The complete way, from a noisiest level with much signal: every image is that of the flow from alpha = 0."""
    data, first = BASES["complete"], vp_level(3.0)
    steps = 2 if name == "relative" else 200
    ratios = [*np.geomspace(first.ratio, 0.003, steps)]
    sampler = Sampler.on(name, grid_of(SCHEDULES["variance preserving"], ratios), data)
    noise = noise_of(data)
    found = sample(sampler, GaussianDenoiser(data), sampler.start(noise, GaussianDenoiser(data).state))
    expected = gaussian.state(data, noise, PURE_NOISE, DATA)
    tolerance = 1e-10 if name == "relative" else 0.02
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    white = sample(sampler, GaussianDenoiser(data), sampler.start(noise))
    assert float((white - expected).abs().max()) > 0.3
