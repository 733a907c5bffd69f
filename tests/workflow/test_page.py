"""The page of a study as a person uses it: opened from the disk in a real browser, its sliders moved."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.workflow.project import Project
from tests.workflow.test_report import BROWSER, dom_of
from underpainting.basis import eigenbasis
from underpainting.io import artifacts
from underpainting.samplers import trajectories
from underpainting.theory import gaussian

MOST = 3_000_000
DRIVE = """
const found = {{}}, page = window.underpainting, element = (id) => document.getElementById(id);
const move = (id, value) => {{ element(id).value = value; element(id).dispatchEvent(new Event("input")); }};
(async () => {{
  {script}
  document.body.dataset.found = JSON.stringify(found);
}})();
"""
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here to open the page with")


def driven(project: Project, script: str, folder: Path) -> dict[str, Any]:
    """What a script finds on the page of the study, which it may change; `found` collects it."""
    text = (project.folder / "results/tiny/index.html").read_text("utf-8")
    page = folder / "index.html"
    page.write_text(text.replace("</body>", f"<script>{DRIVE.format(script=script)}</script></body>"), encoding="utf-8")
    dom = dom_of(page, folder / "profile")
    found = re.search(r'data-found="([^"]*)"', dom)
    assert found, "the script did not come to its end"
    result: dict[str, Any] = json.loads(found[1].replace("&quot;", '"'))
    return result


@needs_browser
def test_numbers_are_those_of_the_library(built: Project, tmp_path: Path) -> None:
    """Coefficients by Eq. 9 and 13 and gains by Eq. 14, computed in the browser at every step shown, and the recorded ones."""
    script = """
    const { shape } = JSON.parse(element("scene").textContent).arrays.state_coefficients;
    const [seeds, steps, components] = shape;
    const each = (value) => Array.from({length: seeds}, (_, seed) => Array.from({length: steps}, (_, time) =>
      Array.from({length: components}, (_, component) => value(seed, component, time))));
    found.state = each(page.coefficient);
    found.endpoint = each(page.endpoint);
    found.gain = each((seed, component, time) => page.gain(component, time));
    found.recorded = each((seed, component, time) => page.at("state_coefficients", seed, time, component));
    found.emerged = Array.from({length: steps}, (_, time) => page.emerged(time));
    """
    found = driven(built, script, tmp_path)
    results = built.folder / "results/tiny"
    sampled = artifacts.load(sorted((results / "trajectories").rglob("*.zip"))[0])
    basis = eigenbasis.load(results / "eigenbasis.zarr.zip")
    grid = trajectories.grid_of(sampled)
    seeds, steps, components = np.shape(found["state"])
    assert steps == len(grid), "a short trajectory is shown step by step"
    states = torch.from_numpy(sampled["state"].values[:seeds]).double()
    for time in range(steps):
        predicted = gaussian.state(basis, states[:, 0], grid[0], grid[time])
        estimate = gaussian.endpoint(basis, predicted, grid[time])
        expected = {
            "state": gaussian.coefficients(basis, predicted, grid[time]),
            "endpoint": basis.coefficients(estimate),
            "recorded": gaussian.coefficients(basis, states[:, time], grid[time]),
        }
        for name, values in expected.items():
            close = values[:, :components].numpy()
            assert np.allclose(np.array(found[name])[:, time], close, rtol=1e-3, atol=1e-3 * np.abs(close).max())
        variances, final = basis.variances[:components], grid[steps - 1]
        gains = gaussian.perturbation_gain(variances, grid[time], final) if grid[time].sigma > 0 else torch.ones(1)
        assert np.allclose(np.array(found["gain"])[0, time], gains, rtol=1e-3)
        above = (basis.variances.sqrt() > grid[time].sigma / grid[time].alpha).sum()
        assert found["emerged"][time] == int(above)


@needs_browser
def test_sliders_clicks_and_keys_change_what_is_shown(built: Project, tmp_path: Path) -> None:
    script = """
    const pixels = (id) => element(id).toDataURL();
    found.start = pixels("network-endpoint");
    move("time", element("time").max);
    found.end = pixels("network-endpoint");
    found.moment = element("moment").textContent;
    move("component", 2); move("perturbation", 3);
    found.perturbed = pixels("perturbed") !== pixels("unperturbed");
    found.text = element("component-text").textContent;
    const box = element("spectrum").getBoundingClientRect();
    element("spectrum").dispatchEvent(new MouseEvent("click", {clientX: box.left + 50, clientY: box.top + 50}));
    found.clicked = page.shown.component;
    move("jump", element("jump").max);
    found.jump = element("jump-text").textContent;
    const before = page.shown.seed; element("another-seed").click();
    found.another = page.shown.seed !== before;
    element("play").click(); await new Promise((done) => setTimeout(done, 400));
    found.playing = element("play").getAttribute("aria-pressed");
    found.labelled = [...document.querySelectorAll("canvas")].every((one) => one.getAttribute("aria-label"));
    found.named = [...document.querySelectorAll("input")].every((one) => one.labels.length && one.tabIndex === 0);
    found.outside = performance.getEntriesByType("resource").map((one) => one.name);
    """
    found = driven(built, script, tmp_path)
    assert found["start"] != found["end"] and found["perturbed"] and found["another"] and found["playing"] == "true"
    steps = json.loads(scene_of(built))["steps"][-1]
    assert found["moment"].startswith(f"Step {steps} of {steps}: ")
    assert found["text"].startswith("Component 2: variance") and found["clicked"] == 0
    table = pd.read_csv(built.folder / "results/tiny/teleport.csv")
    rows = table[(table["design"] == "truncate") & table["jump"].isin(["none", "gaussian"])]
    assert found["jump"].startswith(f"{rows['skipped_steps'].max():.0f} steps skipped: ")
    assert found["labelled"] and found["named"] and found["outside"] == []


def scene_of(project: Project) -> str:
    """The scene in the page, as JSON."""
    text = (project.folder / "results/tiny/index.html").read_text("utf-8")
    found = re.search(r'<script type="application/json" id="scene">(.*?)</script>', text, re.S)
    assert found
    return found[1]


def test_the_page_is_one_small_file_with_every_figure_and_finding(built: Project) -> None:
    results = built.folder / "results/tiny"
    text = (results / "index.html").read_text("utf-8")
    assert len(text.encode()) < MOST
    figures = {file.stem for file in (results / "figures").glob("*.png")}
    assert set(re.findall(r'<figure id="([^"]*)">', text)) == figures
    for kind in ("src", "href"):
        targets = [target for target in re.findall(rf'{kind}="([^"]*)"', text) if not target.startswith(("data:", "#"))]
        assert all((results / target).is_file() for target in targets if not target.startswith("https://"))
    findings = json.loads((results / "findings.json").read_text("utf-8"))
    assert all(finding["title"] in text for finding in findings)
    assert "Tiny &lt;script&gt;alert(1)&lt;/script&gt;" in text and "<script>alert(1)" not in text


def test_arrays_come_back_from_the_page(built: Project) -> None:
    scene = json.loads(scene_of(built))
    stored = scene["arrays"]["variances"]
    values = np.frombuffer(base64.b64decode(stored["data"]), "<f4").reshape(stored["shape"])
    basis = eigenbasis.load(built.folder / "results/tiny/eigenbasis.zarr.zip")
    assert np.allclose(values, basis.variances.numpy()[: len(values)], rtol=1e-6)
