"""`underpainting plan`: the library's choice as a table, and the lines that use it; what cannot be used is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.bases import make_basis
from tests.helpers.pipelines import schedule, stored, unet
from underpainting import denoisers
from underpainting.basis.stored import StoredBasis, save_basis
from underpainting.samplers.randomness import initial_noise
from underpainting.teleport.choice import choose, make_images
from underpainting_workflow import cli


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    save_basis(stored(), tmp_path / "basis.safetensors")
    denoisers.save_pipeline(unet(), schedule(), tmp_path / "network")
    return [str(tmp_path / "basis.safetensors"), str(tmp_path / "network")]


def test_it_prints_the_choice_of_the_library_and_lines_that_make_its_images(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["plan", *files, "--calls", "2", "--images", "3"]) == 0
    table, _, after = capsys.readouterr().out.partition("\n\n")
    denoiser, scheduler = denoisers.load_denoiser(files[1])
    with torch.inference_mode():
        found = choose(denoiser, scheduler, stored().all_images, initial_noise(range(3), (1, 8, 8)), 2)
        first = make_images(found.best, denoiser, scheduler, stored().all_images, initial_noise(range(16), (1, 8, 8)))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [one.candidate.sampler for one in found.estimates]
    assert float(rows[0][5]) == pytest.approx(found.estimates[0].rmse, abs=1e-4)
    low, high = map(float, rows[0][6].split(" to "))
    assert low < float(rows[0][5]) < high and not rows[-1][6]
    assert f"{found.evaluations / 3:.1f} network calls per image; {found.calls} calls" in after
    assert "Not measured: the distribution of the images" in after
    scope: dict[str, Any] = {}
    lines = "\n".join(after.splitlines()[-3:]).replace("batch_size=16", "seeds=range(16), output_type='pt'")
    exec(lines, scope)
    torch.testing.assert_close(scope["images"] * 2 - 1, first.clamp(-1, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--budget", "5"], "candidates need a budget of"),
        (["--images", "1"], "an interval needs two images"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    options: list[str], message: str, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["plan", *files, "--calls", "2", *options]) == 2
    found = capsys.readouterr()
    assert message in found.err and found.err.count("\n") == 1 and not found.out


def test_a_basis_or_network_that_does_not_fit_is_refused(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_basis(StoredBasis.of(make_basis(6, list(np.ones(6)), 0), "six"), tmp_path / "other.safetensors")
    for basis, network, message in [
        (str(tmp_path / "other.safetensors"), files[1], "the basis is one of 1 x 1 x 6 images"),
        (str(tmp_path / "missing.safetensors"), files[1], "missing.safetensors"),
        (files[0], str(tmp_path / "nowhere"), "nowhere"),
    ]:
        assert cli.main(["plan", basis, network, "--calls", "2"]) == 2
        found = capsys.readouterr()
        assert message in found.err and found.err.count("\n") == 1 and not found.out


@pytest.mark.parametrize("calls", ["0", "-1", "four"])
def test_a_number_of_calls_is_a_positive_number(
    calls: str, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plan", *files, "--calls", calls])
    assert "is no number from 1 to 1000" in capsys.readouterr().err
