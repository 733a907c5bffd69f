"""`underpainting grid`: the levels of the library, without torch, for any range; other samplers are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import (
    DDIMScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)

from tests.helpers.bases import make_basis
from underpainting.basis import eigenbasis
from underpainting.basis.stored import StoredBasis, save_basis
from underpainting.basis.variances import read_variances
from underpainting.io.errors import InputError
from underpainting.noise.schedules import least_ratio, schedule_of
from underpainting.noise.training_range import training_range
from underpainting.samplers.optimal_grid import SAMPLERS, loss, optimal_ratios
from underpainting.samplers.registry import SAMPLERS as ALL
from underpainting_workflow import cli
from underpainting_workflow.cli.grid import DDPM_RANGE

ROOT = Path(__file__).resolve().parents[2]
FULL = make_basis(6, [3.0, 1.0, 0.5, 0.2, 0.02, 0.001], 0)


@pytest.fixture
def basis(tmp_path: Path) -> Path:
    save_basis(StoredBasis.of(FULL, "six components"), tmp_path / "basis.safetensors")
    return tmp_path / "basis.safetensors"


def test_it_prints_the_levels_of_the_library(basis: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for sampler in SAMPLERS:
        assert cli.main(["grid", str(basis), "--sampler", sampler, "--steps", "5"]) == 0
        printed = [float(line) for line in capsys.readouterr().out.splitlines()]
        np.testing.assert_allclose(printed, optimal_ratios(FULL.variances, 5, *DDPM_RANGE, sampler), rtol=1e-5)


def test_json_and_a_range_of_ones_own(basis: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--steps", "4", "--sigma-max", "80", "--sigma-min", "0.002", "--json"]
    assert cli.main(["grid", str(basis), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(found["sigmas"], optimal_ratios(FULL.variances, 4, 80.0, 0.002), rtol=1e-5)
    assert found["loss"] == pytest.approx(loss(FULL.variances, found["sigmas"]), rel=1e-5)
    assert (found["sampler"], found["steps"]) == ("euler", 4)


@pytest.mark.parametrize(
    "scheduler",
    [
        DDIMScheduler(),
        DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
        DDIMScheduler(beta_schedule="squaredcos_cap_v2"),
        DDIMScheduler(trained_betas=[0.01, 0.1, 0.3], num_train_timesteps=3),
        EDMEulerScheduler(sigma_max=70.0),
        FlowMatchEulerDiscreteScheduler(),
    ],
    ids=["linear", "scaled", "cosine", "trained", "edm", "flow"],
)
def test_the_range_is_that_of_the_network_s_schedule(
    scheduler: Any, basis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scheduler.save_pretrained(tmp_path / "network/scheduler")
    schedule = schedule_of(scheduler)
    expected = schedule.level(1.0).ratio, least_ratio(schedule)
    assert training_range(tmp_path / "network") == pytest.approx(expected, rel=1e-4)
    assert cli.main(["grid", str(basis), "--steps", "3", "--schedule", str(tmp_path / "network")]) == 0
    assert float(capsys.readouterr().out.splitlines()[0]) == pytest.approx(expected[0], rel=1e-4)


def test_the_default_range_is_that_of_ddpm() -> None:
    schedule = schedule_of(DDIMScheduler())
    assert (schedule.level(1.0).ratio, least_ratio(schedule)) == pytest.approx(DDPM_RANGE, rel=1e-4)


def test_components_that_a_file_leaves_out_share_what_it_leaves_out(tmp_path: Path) -> None:
    save_basis(StoredBasis.of(eigenbasis.truncate(FULL, rank=4), "four of six"), tmp_path / "low.safetensors")
    np.testing.assert_allclose(
        read_variances(tmp_path / "low.safetensors"), [3.0, 1.0, 0.5, 0.2, 0.0105, 0.0105], rtol=1e-9
    )


@pytest.mark.parametrize("sampler", sorted({*ALL} - {*SAMPLERS}))
def test_other_samplers_are_refused_with_the_reason(
    sampler: str, basis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["grid", str(basis), "--steps", "4", "--sampler", sampler]) == 2
    message = capsys.readouterr().err
    reasons = {"edmheun": "levels are those of Karras", "edmchurn": "adds noise", "ddpm": "adds noise"}
    assert reasons.get(sampler, "errors of its steps cancel") in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sampler", "eular"], "'eular' is not known. Remedy: choose one of euler, ddim, heun"),
        (["--sigma-max", "0.001"], "0 < sigma_min < sigma_max"),
        (["--sigma-min", "0"], "0 < sigma_min < sigma_max"),
        (["--schedule", "nowhere"], "there is no nowhere/scheduler_config.json"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    options: list[str], message: str, basis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["grid", str(basis), "--steps", "4", *options]) == 2
    found = capsys.readouterr()
    assert message in found.err and found.err.count("\n") == 1 and not found.out


@pytest.mark.parametrize("steps", ["0", "-1", "1001", "four"])
def test_a_number_of_steps_is_a_positive_number(steps: str, basis: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["grid", str(basis), "--steps", steps])
    assert "no number of steps from 1 to 1000" in capsys.readouterr().err


def test_what_is_no_basis_is_refused(basis: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_variances(tmp_path / "missing.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(InputError, match=r"text\.safetensors: no basis"):
        read_variances(tmp_path / "text.safetensors")
    content = basis.read_bytes()
    position = content.index(FULL.variances.numpy().tobytes())
    basis.write_bytes(content[:position] + np.float64(7.0).tobytes() + content[position + 8 :])
    with pytest.raises(InputError, match="variances are not those of its card"):
        read_variances(basis)


def test_it_takes_less_than_a_second_and_no_torch(basis: Path) -> None:
    """CPU seconds, since other work on the machine stretches the clock."""
    code = (
        "import resource, sys; from underpainting_workflow import cli\n"
        "assert cli.main(sys.argv[1:]) == 0\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print({'torch', 'scipy', 'snakemake.jobs'} & {*sys.modules}, used.ru_utime + used.ru_stime)"
    )
    options = ["grid", str(basis), "--steps", "8", "--schedule", str(ROOT / "config/networks/mnist")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code, *options], capture_output=True, text=True, check=True, env=environment
    )
    modules, seconds = found.stdout.splitlines()[-1].rsplit(" ", 1)
    assert modules == "set()"
    assert float(seconds) < 1.0


def test_the_printed_levels_are_diffusers_sigmas(basis: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["grid", str(basis), "--steps", "4"])
    levels = [float(line) for line in capsys.readouterr().out.splitlines()]
    scheduler = EulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=levels)
    np.testing.assert_allclose(scheduler.sigmas, levels, rtol=1e-6)
    assert len(scheduler.timesteps) == 4 and (scheduler.timesteps.diff() < 0).all()
