"""The integrated flow against the closed form: tight tolerances, orders of the methods, real grids, refusals."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser, DiffusersDenoiser
from underpainting.noise.levels import (
    FlowMatching,
    NoiseGrid,
    NoiseLevel,
    NoisePath,
    VarianceExploding,
    VariancePreserving,
    edm_grid,
    training_grid,
    vp_level,
)
from underpainting.samplers.walk import Sampler
from underpainting.theory import flow, gaussian
from underpainting.theory.gaussian import GaussianDenoiser

TIGHT = {"dopri5": {"rtol": 1e-10, "atol": 1e-11}, "dopri8": {"rtol": 1e-11, "atol": 1e-12}}
ORDERS = {"euler": 1, "midpoint": 2, "heun2": 2, "rk4": 4}
CALLS = {"euler": 1, "midpoint": 2, "heun2": 2, "rk4": 4}
PATHS = [
    pytest.param(VariancePreserving(), 1.0, id="variance preserving"),
    pytest.param(VarianceExploding(), 80.0, id="variance exploding"),
    pytest.param(FlowMatching(), 1.0, id="flow matching"),
]


def ddim_grid(steps: int = 50) -> NoiseGrid:
    """A grid of 51 levels down to sigma = 0, as a workflow has it."""
    return Sampler("ddim", steps, DDIMScheduler(clip_sample=False, set_alpha_to_one=True)).grid


def straight_grid(steps: int = 12) -> NoiseGrid:
    """Flow matching from pure noise, alpha = 0, to data."""
    return NoiseGrid(np.linspace(0, 1, steps + 1), np.linspace(1, 0, steps + 1))


def make_basis(variances: list[float], pixels: int, seed: int = 0) -> Eigenbasis:
    random = np.random.default_rng(seed)
    vectors = np.linalg.qr(random.standard_normal((pixels, pixels)))[0][:, : len(variances)]
    return Eigenbasis(
        torch.from_numpy(0.3 * random.standard_normal(pixels)),
        torch.from_numpy(vectors),
        torch.tensor(sorted(variances, reverse=True), dtype=torch.float64),
        sum(variances),
        (1, 1, pixels),
    )


def starts(basis: Eigenbasis, grid: NoiseGrid, count: int = 3, seed: int = 0) -> Tensor:
    normal = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, *basis.image_shape)))
    return normal * float(np.hypot(*grid[0]))


def closed_form(basis: Eigenbasis, initial: Tensor, grid: NoiseGrid) -> Tensor:
    return torch.stack([gaussian.state(basis, initial, grid[0], level) for level in grid], 1)


# --- the closed form -------------------------------------------------------------------------------------------------

GRIDS = {"variance preserving": ddim_grid(10), "variance exploding": edm_grid(8), "flow matching": straight_grid(8)}
BASES = {
    "full rank": make_basis([25.0, 1.0, 0.01, 0.0], 4),
    "low rank": make_basis([4.0, 0.3, 0.0], 12),
    "one point": make_basis([], 5),
}


@pytest.mark.parametrize("method", TIGHT)
@pytest.mark.parametrize("data", BASES)
@pytest.mark.parametrize("path", GRIDS)
def test_tight_tolerances_give_the_closed_form(path: str, data: str, method: str) -> None:
    basis, grid = BASES[data], GRIDS[path]
    initial = starts(basis, grid)
    found = flow.integrate(GaussianDenoiser(basis), initial, grid, method, **TIGHT[method])
    expected = closed_form(basis, initial, grid)
    assert grid.sigma[-1] == 0
    scale = torch.from_numpy(np.maximum(np.hypot(grid.alpha, grid.sigma), 1)).reshape(1, -1, 1, 1, 1)
    assert float(((found.state - expected) / scale).abs().max()) < 1e-7
    for step, level in enumerate(grid):
        estimate = gaussian.endpoint(basis, expected[:, step], level)
        assert torch.allclose(found.endpoint[:, step], estimate, atol=1e-7)


@pytest.mark.parametrize(("path", "latest"), PATHS)
@settings(max_examples=5)
@given(
    variances=st.lists(st.one_of(st.just(0.0), st.floats(1e-4, 100.0)), max_size=5),
    times=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=4, unique_by=lambda t: round(t, 3)),
    seed=st.integers(0, 99),
)
def test_any_levels_of_any_path_give_the_closed_form(
    path: NoisePath, latest: float, variances: list[float], times: list[float], seed: int
) -> None:
    basis = make_basis(variances, 5, seed)
    grid = NoiseGrid.of([path.level(time * latest) for time in sorted(times, reverse=True)])
    initial = starts(basis, grid, 2, seed)
    found = flow.integrate(GaussianDenoiser(basis), initial, grid, "dopri8", **TIGHT["dopri8"])
    expected = closed_form(basis, initial, grid)
    assert torch.allclose(found.state, expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("path", "latest"), PATHS)
@given(fraction=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_velocity_of_the_gaussian_denoiser_is_the_closed_forms(
    path: NoisePath, latest: float, fraction: float, seed: int
) -> None:
    basis = BASES["low rank"]
    level, rate = path.level(fraction * latest), path.rate(fraction * latest)
    x = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 1, 1, 12)))
    found = flow.velocity(x, gaussian.endpoint(basis, x, level), level, rate)
    assert torch.allclose(found, gaussian.velocity(basis, x, level, rate), rtol=1e-9, atol=1e-10)


@given(t=st.floats(0.02, 1.0), seed=st.integers(0, 99))
def test_velocity_is_equation_75_with_the_papers_signs(t: float, seed: int) -> None:
    """-beta x - (beta / sigma^2) (alpha x0_hat - x), for t from data to noise."""
    path = VariancePreserving()
    x, endpoint = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 2, 1, 3, 3)))
    (alpha, sigma), beta = path.level(t), 0.05 + 9.95 * t
    expected = -beta * x - beta / sigma**2 * (alpha * endpoint - x)
    assert torch.allclose(flow.velocity(x, endpoint, path.level(t), path.rate(t)), expected, rtol=1e-9)


# --- the order of fixed steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["variance preserving", "variance exploding", "flow matching"])
@pytest.mark.parametrize("method", ORDERS)
def test_order_of_fixed_methods(method: str, path: str) -> None:
    """Slope of the logarithm of the error when steps are halved, away from the last interval."""
    levels = {
        "variance preserving": [vp_level(3.0), vp_level(0.2)],
        "variance exploding": [NoiseLevel(1.0, 3.0), NoiseLevel(1.0, 0.2)],
        "flow matching": [NoiseLevel(0.25, 0.75), NoiseLevel(5 / 6, 1 / 6)],
    }
    basis, grid = BASES["full rank"], NoiseGrid.of(levels[path])
    initial = starts(basis, grid)
    expected = closed_form(basis, initial, grid)[:, -1]
    cuts = (32, 64, 128) if ORDERS[method] < 4 else (16, 32, 64)
    errors = []
    for cut in cuts:
        found = flow.integrate(GaussianDenoiser(basis), initial, grid, method, substeps=cut).state[:, -1]
        errors.append(float((found - expected).square().mean().sqrt()))
    slopes = -np.diff(np.log(errors)) / np.log(2)
    assert slopes[-1] == pytest.approx(ORDERS[method], abs=0.1), f"slopes {slopes}, errors {errors}"


@pytest.mark.parametrize("method", ORDERS)
def test_substeps_are_a_finer_grid(method: str) -> None:
    """Every interval cut in three is a grid with two levels more between any two, at even angles."""
    basis, coarse = BASES["low rank"], NoiseGrid.of([vp_level(ratio) for ratio in (20.0, 2.0, 0.3)])
    angles = np.concatenate([np.linspace(a, b, 4)[:-1] for a, b in pairwise(coarse.angle)] + [coarse.angle[-1:]])
    fine = NoiseGrid(np.cos(angles), np.sin(angles))
    initial, denoiser = starts(basis, coarse), GaussianDenoiser(basis)
    cut = flow.integrate(denoiser, initial, coarse, method, substeps=3).state
    assert torch.allclose(cut, flow.integrate(denoiser, initial, fine, method).state[:, ::3], rtol=1e-12, atol=1e-13)


# --- the last interval -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ORDERS)
def test_fixed_steps_end_in_the_last_endpoint_estimate(method: str) -> None:
    basis, grid = BASES["low rank"], ddim_grid(10)
    found = flow.integrate(GaussianDenoiser(basis), starts(basis, grid), grid, method)
    assert torch.equal(found.state[:, -1], found.endpoint[:, -2])
    assert torch.equal(found.endpoint[:, -1], found.state[:, -1])


@given(log_variance=st.floats(-24.0, 4.0), tangent=st.floats(1e-8, 1.0))
def test_the_last_endpoint_estimate_errs_as_the_module_says(log_variance: float, tangent: float) -> None:
    """At most 0.3003 tan(phi) per unit of c / sqrt(m), for one interval from the exact state."""
    variance = float(np.exp(log_variance))
    basis = make_basis([variance], 1)
    grid = NoiseGrid.of([vp_level(tangent), NoiseLevel(1.0, 0.0)])
    unit = np.sqrt(gaussian.marginal_variance(variance, grid[0]))
    initial = (grid[0].alpha * basis.mean + unit).reshape(1, 1, 1, 1)
    error = (
        closed_form(basis, initial, grid)[:, -1] - flow.integrate(GaussianDenoiser(basis), initial, grid).state[:, -1]
    )
    expected = np.sqrt(variance) - variance / np.sqrt(tangent**2 + variance)
    assert float(error.abs()) == pytest.approx(expected, abs=1e-14)
    assert expected <= 0.30029 * tangent
    if variance > 100 * tangent**2:
        assert expected == pytest.approx(tangent**2 / (2 * np.sqrt(variance)), rel=0.01)


def test_the_worst_variance_of_the_last_interval_is_the_golden_one() -> None:
    golden = (np.sqrt(5) - 1) / 2
    assert np.sqrt(golden) - golden / np.sqrt(1 + golden) == pytest.approx(0.30028, abs=1e-5)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 5e-9), (torch.float32, 1.1e-4)])
def test_the_smallest_angle_of_adaptive_methods_costs_little(dtype: torch.dtype, bound: float) -> None:
    """The worst variance for that angle, started at a unit coefficient."""
    smallest = flow.smallest_angle(dtype)
    variance = 0.618 * smallest**2
    basis, grid = make_basis([variance], 1), NoiseGrid.of([vp_level(0.05), NoiseLevel(1.0, 0.0)])
    unit = np.sqrt(gaussian.marginal_variance(variance, grid[0]))
    initial = (grid[0].alpha * basis.mean + unit).reshape(1, 1, 1, 1).to(dtype)
    found = flow.integrate(GaussianDenoiser(basis), initial, grid, "dopri8", rtol=1e-12, atol=1e-13)
    error = float((found.state.double()[:, -1] - closed_form(basis, initial.double(), grid)[:, -1]).abs())
    assert 0.2 * smallest < error < bound


@pytest.mark.parametrize("method", ["rk4", "dopri5"])
def test_a_grid_that_is_below_the_smallest_angle_already_takes_the_endpoint_estimate(method: str) -> None:
    basis, grid = BASES["low rank"], NoiseGrid.of([NoiseLevel(1.0, 1e-9), NoiseLevel(1.0, 0.0)])
    initial = starts(basis, grid)
    found = flow.integrate(GaussianDenoiser(basis), initial, grid, method)
    assert torch.equal(found.state[:, -1], found.endpoint[:, 0])


# --- a real sampler --------------------------------------------------------------------------------------------------


def test_the_grid_of_a_real_sampler() -> None:
    """51 levels to sigma = 0: four calls per interval, adaptive steps near the closed form, DDIM much farther."""
    basis, grid = BASES["low rank"], ddim_grid()
    initial = starts(basis, grid, 8)
    expected = closed_form(basis, initial, grid)
    steps = list(flow.walk(GaussianDenoiser(basis), initial, grid))
    assert [step.index for step in steps] == list(range(51))
    assert [step.level for step in steps] == list(grid)
    adaptive = flow.integrate(GaussianDenoiser(basis), initial, grid, "dopri5").state
    assert float((adaptive - expected).abs().max()) < 1e-5
    ddim = Sampler("ddim", 50, DDIMScheduler(clip_sample=False, set_alpha_to_one=True))
    stepped = torch.stack([step.state for step in ddim.walk(GaussianDenoiser(basis), initial)], 1)
    errors = [
        float((states - expected)[:, :-1].square().mean())
        for states in (torch.stack([s.state for s in steps], 1), stepped)
    ]
    assert errors[0] < 1e-3 * errors[1]


def test_a_network_is_asked_at_the_samplers_own_times(network: UNet2DModel) -> None:
    """Endpoint estimates at the levels are those that the sampler gets, from the same states; float32 stays."""
    scheduler = DDIMScheduler(clip_sample=False)
    denoiser = DiffusersDenoiser(network, training_grid(scheduler))
    sampler = Sampler("ddim", 5, scheduler)
    initial = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for step in flow.walk(denoiser, initial, sampler.grid):
        assert step.state.dtype == step.endpoint.dtype == torch.float32
        if step.index < 5:
            expected = denoiser(step.state, *step.level)
            torch.testing.assert_close(step.endpoint, expected, rtol=1e-4, atol=1e-4 / step.level.alpha)


def test_an_adaptive_method_follows_a_network(network: UNet2DModel) -> None:
    """It ends, in float32, with many fixed steps at its side."""
    scheduler = DDIMScheduler(clip_sample=False, set_alpha_to_one=True)
    denoiser = CountingDenoiser(DiffusersDenoiser(network, training_grid(scheduler)))
    grid = Sampler("ddim", 5, scheduler).grid
    initial = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    late = NoiseGrid(grid.alpha[3:], grid.sigma[3:])
    adaptive = flow.integrate(denoiser, initial, late, "dopri5", rtol=1e-4, atol=1e-4)
    assert denoiser.calls < 1500
    fixed = flow.integrate(denoiser, initial, late, "rk4", substeps=16)
    difference = (adaptive.state - fixed.state)[:, :-1]
    assert float(difference.square().mean().sqrt()) < 0.01 * float(fixed.state.square().mean().sqrt())


@pytest.mark.parametrize("substeps", [1, 3])
@pytest.mark.parametrize("method", CALLS)
def test_calls_of_the_denoiser(method: str, substeps: int) -> None:
    """As many as stages, the endpoint estimate among them; 1 across the last interval, 1 for a last noisy level."""
    basis, grid = BASES["low rank"], ddim_grid(10)
    noisy = NoiseGrid(grid.alpha[:-1], grid.sigma[:-1])
    for levels in (grid, noisy):
        denoiser = CountingDenoiser(GaussianDenoiser(basis))
        list(flow.walk(denoiser, starts(basis, levels), levels, method, substeps=substeps))
        assert denoiser.calls == 9 * CALLS[method] * substeps + 1


@pytest.mark.parametrize(("method", "stages"), [("dopri5", 6), ("dopri8", 13)])
def test_calls_of_adaptive_methods(method: str, stages: int) -> None:
    """Loose tolerances need one step per interval; the last, to sigma = 0, at most two for each factor e to that angle."""
    basis, grid = BASES["low rank"], ddim_grid(10)
    noisy = NoiseGrid(grid.alpha[:-1], grid.sigma[:-1])
    calls = []
    for levels in (noisy, grid):
        denoiser = CountingDenoiser(GaussianDenoiser(basis))
        list(flow.walk(denoiser, starts(basis, levels), levels, method, rtol=1.0, atol=1.0))
        calls.append(denoiser.calls)
    assert calls[0] == 9 * (1 + stages) + 1
    factors = np.log(noisy.angle[-1] / flow.smallest_angle(torch.float64))
    assert calls[1] - calls[0] <= 2 * factors * stages + 1


def test_walking_is_lazy() -> None:
    """One interval is integrated at a time: memory is that of a batch."""
    basis, grid = BASES["low rank"], ddim_grid(10)
    denoiser = CountingDenoiser(GaussianDenoiser(basis))
    steps = flow.walk(denoiser, starts(basis, grid), grid)
    assert denoiser.calls == 0
    next(steps)
    assert denoiser.calls == 1
    next(steps)
    assert denoiser.calls == 5


def test_levels_that_repeat_leave_the_sphere_alone() -> None:
    basis, repeated = BASES["low rank"], NoiseGrid.of([vp_level(3.0), NoiseLevel(1.0, 3.0), NoiseLevel(1.0, 1.0)])
    initial = starts(basis, repeated)
    found = flow.integrate(GaussianDenoiser(basis), initial, repeated, "dopri8", rtol=1e-10, atol=1e-10).state
    assert torch.allclose(found, closed_form(basis, initial, repeated), atol=1e-7)


# --- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ORDERS)
def test_fixed_steps_do_not_see_the_company_of_an_image(method: str) -> None:
    basis, grid = BASES["low rank"], ddim_grid(10)
    initial, denoiser = starts(basis, grid, 5), GaussianDenoiser(basis)
    together = flow.integrate(denoiser, initial, grid, method).state
    alone = flow.integrate(denoiser, initial[2:3], grid, method).state
    assert torch.allclose(alone, together[2:3], rtol=1e-12, atol=1e-13)


def test_adaptive_steps_meet_the_tolerance_for_the_worst_image() -> None:
    """One image far out among very many at the mean is integrated as well as alone."""
    basis, grid = make_basis([1e4], 2), NoiseGrid.of([NoiseLevel(1.0, 80.0), NoiseLevel(1.0, 0.05)])
    still = (basis.mean.reshape(1, 1, 1, 2)).expand(1000, -1, -1, -1)
    moving = still[:1] + 5000.0 * basis.vectors.T.reshape(1, 1, 1, 2)
    exact = closed_form(basis, moving, grid)[0, -1]
    alone, together = (
        float((flow.integrate(GaussianDenoiser(basis), images, grid, "dopri5").state[0, -1] - exact).abs().max())
        for images in (moving, torch.cat([moving, still]))
    )
    assert together < 2 * alone


# --- refusals --------------------------------------------------------------------------------------------------------

MISUSES: dict[str, tuple[Callable[[Tensor, NoiseGrid], object], str]] = {
    "method": (lambda x, grid: flow.walk(GaussianDenoiser(BASES["one point"]), x, grid, "rk5"), "known are euler"),
    "start": (
        lambda x, _: flow.walk(GaussianDenoiser(BASES["one point"]), x, NoiseGrid.of([NoiseLevel(1.0, 0.0)])),
        "cannot start from sigma = 0",
    ),
    "substeps": (
        lambda x, grid: flow.walk(GaussianDenoiser(BASES["one point"]), x, grid, substeps=0),
        "at least one step, not 0",
    ),
    "tolerance": (
        lambda x, grid: flow.walk(GaussianDenoiser(BASES["one point"]), x, grid, "dopri5", rtol=0.0),
        "tolerances must be positive",
    ),
    "nan": (
        lambda x, grid: flow.integrate(lambda images, *_: images * np.nan, x, grid),
        "is not finite: look at the denoiser",
    ),
    "velocity": (
        lambda x, _: flow.velocity(x, x, NoiseLevel(1.0, 0.0), NoiseLevel(0.0, 1.0)),
        "no velocity at sigma = 0",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_refused_with_a_remedy(name: str) -> None:
    call, message = MISUSES[name]
    with pytest.raises(ValueError, match=message):
        call(torch.ones(1, 1, 1, 5, dtype=torch.float64), GRIDS["variance preserving"])


def test_a_network_does_not_know_pure_noise(network: UNet2DModel) -> None:
    denoiser = DiffusersDenoiser(network, training_grid(DDIMScheduler()))
    with pytest.raises(ValueError, match="let the grid begin where alpha is small but positive"):
        flow.integrate(denoiser, torch.zeros(1, 1, 8, 8), straight_grid(3))


def test_an_adaptive_method_gives_up_on_a_rough_denoiser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "MOST_STEPS", 20)
    rough = np.random.default_rng(0)
    initial = torch.ones(1, 1, 1, 5, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"dopri5 found no way from angle .* or use a fixed method"):
        flow.integrate(
            lambda images, *_: torch.full_like(images, rough.normal()), initial, GRIDS["flow matching"], "dopri5"
        )
