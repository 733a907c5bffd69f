"""The command `underpainting` on the tiny study; tests/provenance/test_commands.py has the rest."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from tests.workflow.test_scenarios import MIDDLE, flip
from tests.workflow.world import World


def lines(text: str) -> dict[str, str]:
    """Condition by path, of a printed status."""
    found = (line.partition("results/") for line in text.splitlines() if not line.startswith(" "))
    return {f"results/{path}": condition.strip() for condition, separator, path in found if separator}


def test_status_tells_each_condition_and_why(world: World) -> None:
    place = world.colleague
    assert place.tool("status").strip().endswith("fresh")
    place.edit("src/underpainting/analysis/emergence.py", "THRESHOLD = 0.5**0.5", "THRESHOLD = 0.6**0.5")
    place.study({"teleport.kid_subsets": 6})
    flip(place.folder / "results/tiny/score.zarr.zip")
    (place.folder / "results/tiny/models.csv").unlink()
    result = place.try_command("underpainting", "status")
    assert result.returncode == 1
    told = lines(result.stdout)
    assert told["results/tiny/emergence/ddim-6.zarr.zip"] == "stale"
    assert told["results/tiny/score.zarr.zip"] == "not recorded"
    assert told["results/tiny/models.csv"] == "missing"
    assert "results/tiny/moments.zarr.zip" not in told
    assert "code of underpainting/analysis/emergence.py" in result.stdout
    assert "kid_subsets: 5 before, 6 now" in result.stdout
    assert "made from results/tiny/emergence/ddim-6.zarr.zip, which is to be made again" in result.stdout


def test_a_finished_study_becomes_a_crate(world: World, tmp_path: Path) -> None:
    place = world.colleague
    target = tmp_path / "tiny.zip"
    place.tool("archive", "tiny", str(target))
    with zipfile.ZipFile(target) as crate:
        assert crate.testzip() is None
        names = set(crate.namelist())
        graph = {entry["@id"]: entry for entry in json.loads(crate.read("ro-crate-metadata.json"))["@graph"]}
        assert crate.read(MIDDLE) == (place.folder / MIDDLE).read_bytes()
    assert {MIDDLE, "Snakefile", "config/studies/tiny.yaml", "workflow/provenance/tiny.jsonl"} <= names
    made = graph[f"#made-{MIDDLE}"]
    assert made["@type"] == "CreateAction"
    assert made["object"] == {"@id": "results/tiny/dataset.zarr.zip"} or made["object"] == [
        {"@id": "results/tiny/dataset.zarr.zip"}
    ]
    assert made["instrument"] == {"@id": "scripts/estimate_moments.py"}


def test_dvc_compares_commits(world: World) -> None:
    """What DVC shows of a study: state, metrics and plots of two commits, and single files to pull."""
    place = world.colleague
    assert "up to date" in place.dvc("status")
    assert "residual_plane" in place.dvc("metrics", "show", "--json")
    place.edit("results/tiny/metrics.json", '"study": "tiny"', '"study": "other"')
    assert '"old": "tiny"' in place.dvc("metrics", "diff", "--all", "--json")
    assert "results/tiny/metrics.json" in place.dvc("diff")
    page = place.dvc("plots", "diff", "HEAD")
    assert "file://" in page


def test_diff_names_the_parameter_and_the_numbers_that_moved(world: World) -> None:
    place = world.colleague
    place.study({"teleport.kid_subsets": 6})
    place.snakemake("results/tiny/metrics.json")
    printed = place.tool("diff", "HEAD", "--only", "tiny")
    cause, moved = printed.split("\n\n")[1:]
    assert cause.splitlines()[0] == "parameter  scores.kid_subsets: 5 before, 6 now"
    assert "  results/tiny/teleport/ddim-6/skipped_2/fidelity.json" in cause.splitlines()
    assert cause.splitlines()[-1].endswith("made from them")
    assert moved.splitlines()[0].split() == ["before", "now", "change", "results/tiny/metrics.json"]
    assert any("%" in line for line in moved.splitlines()[1:])
